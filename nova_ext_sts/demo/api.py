# SPDX-License-Identifier: Apache-2.0
"""A small Compute API, whose servers have no extended status.

It answers GET as Nova does at microversion 2.1: discovery, extensions, and
list, detail and show of servers, with the parameters ``limit``, ``marker`` and
``name``. It ignores other parameters.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import webob
from sqlalchemy.engine import make_url
from webob import exc

from nova_ext_sts.demo import servers
from nova_ext_sts.states import server_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Document = dict[str, Any]

EXTENSION = {
    "alias": "OS-DCF",
    "description": "Disk Management Extension.",
    "links": [],
    "name": "DiskConfig",
    "namespace": (
        "http://docs.openstack.org/compute/ext/disk_config/api/v1.1"
    ),
    "updated": "2011-09-27T00:00:00Z",
}

#: The members that all servers have in common, as Nova shows them to a tenant.
_DETAIL: Document = {
    "tenant_id": "6f70656e737461636b206578742d7374",
    "user_id": "fe4c1a7a3f0b4bb2b5e0c4a7b8a1f5d0",
    "metadata": {},
    "hostId": hashlib.sha224(b"compute").hexdigest(),
    # Nova's value for a server that was booted from a volume.
    "image": "",
    "created": "2026-01-01T00:00:00Z",
    "accessIPv4": "",
    "accessIPv6": "",
    "OS-DCF:diskConfig": "AUTO",
    "OS-EXT-AZ:availability_zone": "nova",
    "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000",
    "OS-SRV-USG:terminated_at": None,
    "config_drive": "",
    "key_name": None,
    "os-extended-volumes:volumes_attached": [],
    "progress": 0,
    "security_groups": [{"name": "default"}],
}

_FAULTS = {
    400: "badRequest",
    404: "itemNotFound",
    405: "badMethod",
    503: "serviceUnavailable",
}


def app_factory(
    global_conf: Mapping[str, str] | None, *, connection: str
) -> ComputeAPI:
    """Return the API, for paste.deploy; its servers are made if absent.

    :param connection: the SQLAlchemy URL of a SQLite file
    """
    path = Path(make_url(connection).database or "")
    if not path.exists():
        servers.make(path, servers.SERVERS)
    return ComputeAPI(path)


class ComputeAPI:
    """The WSGI application.

    :param path: the file with the servers, read for each request
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        request = webob.Request(environ)
        try:
            response = webob.Response(json=self._document(request))
        except exc.HTTPException as error:
            response = _fault(error.code, error.detail)
        except UnicodeDecodeError:
            response = _fault(400, "The URL is not UTF-8.")
        except sqlite3.Error as error:
            response = _fault(503, f"The servers cannot be read: {error}.")
        response.headers["OpenStack-API-Version"] = "compute 2.1"
        response.vary = ["OpenStack-API-Version"]
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _document(self, request: webob.Request) -> Document:
        """Return the document that a request asks for.

        :raises HTTPException: there is none
        """
        if request.method not in ("GET", "HEAD"):
            raise exc.HTTPMethodNotAllowed("The demo is read-only.")
        match = _PATH.fullmatch(request.path_info)
        resource, key = match.groups() if match else ("", None)
        if resource == "servers" and key in (None, "detail"):
            return self._list(request, _server if key else _listed_server)
        if resource == "servers":
            for row in servers.rows(self._path):
                if row["uuid"] == key:
                    return {"server": _server(request, row)}
            raise exc.HTTPNotFound(f"Instance {key} could not be found.")
        if resource == "extensions" and key is None:
            return {"extensions": [EXTENSION]}
        if resource == "extensions" and key == EXTENSION["alias"]:
            return {"extension": EXTENSION}
        if resource is None:
            return {"version": _version(request)}
        if request.path_info in ("", "/"):
            return {"versions": [_version(request)]}
        raise exc.HTTPNotFound("The resource could not be found.")

    def _list(
        self,
        request: webob.Request,
        written: Callable[[webob.Request, Document], Document],
    ) -> Document:
        limit = request.GET.get("limit", "1000")
        marker = request.GET.get("marker")
        if not re.fullmatch("[0-9]{1,9}", limit):
            raise exc.HTTPBadRequest(f"limit {limit!r} is not a number")
        rows = servers.rows(self._path)
        if marker is not None:
            ids = [row["uuid"] for row in rows]
            if marker not in ids:
                raise exc.HTTPBadRequest(f"marker [{marker}] not found")
            rows = rows[ids.index(marker) + 1 :]
        name = request.GET.get("name", "")
        rows = [row for row in rows if name in (row["display_name"] or "")]
        page = rows[: int(limit)]
        document: Document = {
            "servers": [written(request, row) for row in page]
        }
        # As in Nova, no page follows an empty one.
        if 0 < len(page) < len(rows):
            query = {**request.GET, "marker": page[-1]["uuid"]}
            href = f"{request.path_url}?{urllib.parse.urlencode(query)}"
            document["servers_links"] = [{"rel": "next", "href": href}]
        return document


_PATH = re.compile(r"/v2\.1(?:/(servers|extensions)(?:/([^/]+))?)?/?")


def _fault(code: int, message: str) -> webob.Response:
    response = webob.Response(
        json={_FAULTS[code]: {"code": code, "message": message}}, status=code
    )
    if code == 405:
        response.allow = ("GET", "HEAD")
    return response


def _version(request: webob.Request) -> Document:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.1",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.application_url}/v2.1/"}],
    }


def _listed_server(request: webob.Request, row: Document) -> Document:
    return {
        "id": row["uuid"],
        "name": row["display_name"],
        "links": _links(request, f"servers/{row['uuid']}"),
    }


def _server(request: webob.Request, row: Document) -> Document:
    address = {
        "version": 4,
        "addr": f"10.0.0.{row['id']}",
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:{row['id']:02x}",
    }
    return {
        **_listed_server(request, row),
        "status": server_status(row["vm_state"], row["task_state"]),
        "updated": f"{row['updated_at']}".replace(" ", "T") + "Z",
        "addresses": {"private": [address]},
        "flavor": {"id": "1", "links": _links(request, "flavors/1")[1:]},
        **_DETAIL,
    }


def _links(request: webob.Request, resource: str) -> list[dict[str, str]]:
    """Return the links of a resource: with the API's version and without."""
    return [
        {"rel": rel, "href": f"{request.application_url}/{version}{resource}"}
        for rel, version in (("self", "v2.1/"), ("bookmark", ""))
    ]
