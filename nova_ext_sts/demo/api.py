# SPDX-License-Identifier: Apache-2.0
"""A small Compute API, whose servers have no extended status.

It answers GET as Nova does at microversion 2.1: discovery, extensions, and
list, detail and show of servers, with the parameters ``limit``, ``marker`` and
``name``. It ignores other parameters.
"""

from __future__ import annotations

import re
import sqlite3
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import webob
from sqlalchemy.engine import make_url
from webob import dec, exc

from nova_ext_sts.demo import servers
from nova_ext_sts.states import server_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

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
    "hostId": "ec76d6dbb403a58f6424827511297ffbecc47612bbecc52aa038eae7",
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
) -> WSGIApplication:
    """Return the API, for paste.deploy; its servers are made if absent.

    :param connection: the SQLAlchemy URL of a SQLite file, which is read for
        each request
    """
    path = Path(make_url(connection).database or "")
    if not path.exists():
        servers.make(path, servers.SERVERS)
    application: WSGIApplication = dec.wsgify(_response, args=(path,))
    return application


def _response(request: webob.Request, path: Path) -> webob.Response:
    try:
        response = webob.Response(json=_document(request, path))
    except exc.HTTPException as error:
        response = _fault(error.code, error.detail)
    except UnicodeDecodeError:
        response = _fault(400, "The URL is not UTF-8.")
    except sqlite3.Error as error:
        response = _fault(503, f"The servers cannot be read: {error}.")
    response.headers["OpenStack-API-Version"] = "compute 2.1"
    response.vary = ["OpenStack-API-Version"]
    return response


def _document(request: webob.Request, path: Path) -> Document:
    """Return the document that a request asks for.

    :raises HTTPException: there is none
    """
    if request.method not in ("GET", "HEAD"):
        raise exc.HTTPMethodNotAllowed("The demo is read-only.")
    match request.path_info.strip("/").split("/"):
        case [""]:
            return {"versions": [_version(request)]}
        case ["v2.1"]:
            return {"version": _version(request)}
        case ["v2.1", "servers"]:
            return _page(request, servers.rows(path), _listed_server)
        case ["v2.1", "servers", "detail"]:
            return _page(request, servers.rows(path), _server)
        case ["v2.1", "servers", server_id]:
            for row in servers.rows(path):
                if row["uuid"] == server_id:
                    return {"server": _server(request, row)}
            raise exc.HTTPNotFound(f"Instance {server_id} could not be found.")
        case ["v2.1", "extensions"]:
            return {"extensions": [EXTENSION]}
        case ["v2.1", "extensions", "OS-DCF"]:
            return {"extension": EXTENSION}
    raise exc.HTTPNotFound("The resource could not be found.")


def _page(
    request: webob.Request,
    rows: list[servers.Row],
    written: Callable[[webob.Request, servers.Row], Document],
) -> Document:
    limit = request.GET.get("limit", "1000")
    if not re.fullmatch("[0-9]{1,9}", limit):
        raise exc.HTTPBadRequest(f"limit {limit!r} is not a number")
    marker = request.GET.get("marker")
    if marker is not None:
        ids = [row["uuid"] for row in rows]
        if marker not in ids:
            raise exc.HTTPBadRequest(f"marker [{marker}] not found")
        rows = rows[ids.index(marker) + 1 :]
    name = request.GET.get("name", "")
    rows = [row for row in rows if name in (row["display_name"] or "")]
    page = rows[: int(limit)]
    document: Document = {"servers": [written(request, row) for row in page]}
    # As in Nova, no page follows an empty one.
    if 0 < len(page) < len(rows):
        query = {**request.GET, "marker": page[-1]["uuid"]}
        href = f"{request.path_url}?{urllib.parse.urlencode(query)}"
        document["servers_links"] = [{"rel": "next", "href": href}]
    return document


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


def _listed_server(request: webob.Request, row: servers.Row) -> Document:
    return {
        "id": row["uuid"],
        "name": row["display_name"],
        "links": _links(request, f"servers/{row['uuid']}"),
    }


def _server(request: webob.Request, row: servers.Row) -> Document:
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
