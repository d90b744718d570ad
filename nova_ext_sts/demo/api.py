# SPDX-License-Identifier: Apache-2.0
"""A small Compute API behind the filter, without states of its own.

It speaks version 2.1 without later microversions: discovery, extensions,
flavors, and the list, detail and show of servers, all read-only, in JSON and,
as API v2 did, in XML. Deleted servers are listed
too, as Nova lists them for an administrator who asks for them. Of Nova's many
query parameters it knows ``limit``, ``marker`` and ``name``, a regular
expression; the others are ignored.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import sqlite3
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import webob
from webob import exc

from nova_ext_sts.demo import fleet
from nova_ext_sts.demo.representations import (
    MICROVERSION,
    format_of,
    represented,
    resource_path,
)
from nova_ext_sts.states import server_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Document = dict[str, Any]

VERSION = "v2.1"

#: The longest page, whatever a client asks for; Nova's default.
MAX_LIMIT = 1000

#: The name of a fault in its body, by HTTP status.
FAULTS = {
    400: "badRequest",
    404: "itemNotFound",
    405: "badMethod",
    503: "serviceUnavailable",
}

FLAVOR = {
    "id": "1",
    "name": "m1.tiny",
    "vcpus": 1,
    "ram": 512,
    "disk": 1,
    "swap": "",
    "rxtx_factor": 1.0,
    "OS-FLV-DISABLED:disabled": False,
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "os-flavor-access:is_public": True,
}

#: An extension that is not the filter's, so that the list is not empty.
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

_NETWORK = ipaddress.IPv4Network("10.0.0.0/8")


def app_factory(
    global_conf: Mapping[str, str] | None, *, connection: str
) -> ComputeAPI:
    """Return the API, for paste.deploy; its servers are made if absent.

    :param connection: the SQLAlchemy URL of a SQLite file
    :raises UnusableFile: the file cannot hold the demo's servers
    """
    path = Path(sa.make_url(connection).database or "").absolute()
    fleet.make(path)
    return ComputeAPI(path)


class ComputeAPI:
    """The WSGI application.

    :param path: the file with the servers, which is read for each request
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        request = webob.Request(environ)
        format = format_of(request)
        try:
            response = represented(self._document(request), format)
        except exc.HTTPException as error:
            response = _fault(error, format)
        except UnicodeDecodeError:
            response = _fault(
                exc.HTTPBadRequest("The request's URL is not UTF-8."), format
            )
        except sqlite3.Error as error:
            response = _fault(
                exc.HTTPServiceUnavailable(
                    f"The demo's servers cannot be read: {error}."
                ),
                format,
            )
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _document(self, request: webob.Request) -> Document:
        """Return what the request asks for.

        :raises HTTPException: it asks for something that is not there
        """
        path = resource_path(request.path_info)
        for pattern, answer in _ROUTES:
            match = pattern.fullmatch(path)
            if not match:
                continue
            if request.method not in ("GET", "HEAD"):
                raise exc.HTTPMethodNotAllowed(
                    f"The demo is read-only: {request.method} is not allowed.",
                    headers={"Allow": "GET, HEAD"},
                )
            return answer(self, request, **match.groupdict())
        raise exc.HTTPNotFound("The resource could not be found.")

    def versions(self, request: webob.Request) -> Document:
        """GET /"""
        return {"versions": [_version(request)]}

    def version(self, request: webob.Request) -> Document:
        """GET /v2.1"""
        version = _version(request)
        version["links"].append(
            {
                "rel": "describedby",
                "type": "text/html",
                "href": "https://docs.openstack.org/",
            }
        )
        version["media-types"] = [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.compute+json;version=2.1",
            }
        ]
        return {"version": version}

    def extensions(
        self, request: webob.Request, project: str | None
    ) -> Document:
        """GET /v2.1/extensions"""
        return {"extensions": [EXTENSION]}

    def extension(
        self, request: webob.Request, project: str | None, alias: str
    ) -> Document:
        """GET /v2.1/extensions/{alias}"""
        if alias != EXTENSION["alias"]:
            raise exc.HTTPNotFound("The resource could not be found.")
        return {"extension": EXTENSION}

    def list(self, request: webob.Request, project: str | None) -> Document:
        """GET /v2.1/servers"""
        return self._servers(request, project, _listed_server)

    def detail(self, request: webob.Request, project: str | None) -> Document:
        """GET /v2.1/servers/detail"""
        return self._servers(request, project, _server)

    def show(
        self, request: webob.Request, project: str | None, id: str
    ) -> Document:
        """GET /v2.1/servers/{id}"""
        for row in fleet.servers(self._path):
            if row["uuid"] == id:
                return {"server": _server(request, project, row)}
        raise exc.HTTPNotFound(f"Instance {id} could not be found.")

    def flavors(self, request: webob.Request, project: str | None) -> Document:
        """GET /v2.1/flavors"""
        return {
            "flavors": [
                {
                    "id": flavor["id"],
                    "name": flavor["name"],
                    "links": flavor["links"],
                }
                for flavor in self.flavors_detail(request, project)["flavors"]
            ]
        }

    def flavors_detail(
        self, request: webob.Request, project: str | None
    ) -> Document:
        """GET /v2.1/flavors/detail"""
        rows = _after_marker(request, [FLAVOR], "id")[: _limit(request)]
        return {"flavors": [_flavor(request, project, row) for row in rows]}

    def flavor(
        self, request: webob.Request, project: str | None, id: str
    ) -> Document:
        """GET /v2.1/flavors/{id}"""
        if id != FLAVOR["id"]:
            raise exc.HTTPNotFound(f"Flavor {id} could not be found.")
        return {"flavor": _flavor(request, project, FLAVOR)}

    def _servers(
        self,
        request: webob.Request,
        project: str | None,
        server: Callable[[webob.Request, str | None, Document], Document],
    ) -> Document:
        limit = _limit(request)
        name = _name(request)
        rows = [
            row
            for row in _after_marker(
                request, fleet.servers(self._path), "uuid"
            )
            if name.search(row["display_name"] or "")
        ]
        page = rows[:limit]
        document: Document = {
            "servers": [server(request, project, row) for row in page]
        }
        # A limit of 0 is an empty page that nothing follows, as in Nova.
        if page and len(rows) > limit:
            document["servers_links"] = [
                {"rel": "next", "href": _next(request, page[-1]["uuid"])}
            ]
        return document


#: A project id is never the name of a resource, so that /servers/servers is
#: the server called "servers".
_PROJECT = r"/v2\.1(?:/(?P<project>(?!(?:extensions|servers|flavors)/)[^/]+))?"

#: What answers each path, the first that matches.
_ROUTES = [
    (re.compile(pattern + "/?"), answer)
    for pattern, answer in (
        (r"", ComputeAPI.versions),
        (r"/v2\.1", ComputeAPI.version),
        (_PROJECT + "/extensions", ComputeAPI.extensions),
        (_PROJECT + "/extensions/(?P<alias>[^/]+)", ComputeAPI.extension),
        (_PROJECT + "/servers", ComputeAPI.list),
        (_PROJECT + "/servers/detail", ComputeAPI.detail),
        (_PROJECT + "/servers/(?P<id>[^/]+)", ComputeAPI.show),
        (_PROJECT + "/flavors", ComputeAPI.flavors),
        (_PROJECT + "/flavors/detail", ComputeAPI.flavors_detail),
        (_PROJECT + "/flavors/(?P<id>[^/]+)", ComputeAPI.flavor),
    )
]


def _fault(error: exc.HTTPException, format: str) -> webob.Response:
    fault = {"code": error.code, "message": error.detail}
    response = represented({FAULTS[error.code]: fault}, format, error.code)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _version(request: webob.Request) -> Document:
    return {
        "id": VERSION,
        "status": "CURRENT",
        "version": MICROVERSION,
        "min_version": MICROVERSION,
        "updated": "2013-07-23T11:33:21Z",
        "links": [
            {
                "rel": "self",
                "href": f"{request.application_url}/{VERSION}/",
            }
        ],
    }


def _listed_server(
    request: webob.Request, project: str | None, row: Document
) -> Document:
    return {
        "id": row["uuid"],
        "name": row["display_name"],
        "links": _links(request, project, f"servers/{row['uuid']}"),
    }


def _server(
    request: webob.Request, project: str | None, row: Document
) -> Document:
    host_id = f"{row['project_id']}{row['host']}".encode()
    address = _NETWORK[row["id"] % _NETWORK.num_addresses]
    return {
        **_listed_server(request, project, row),
        "status": server_status(row["vm_state"], row["task_state"]),
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "metadata": {},
        "hostId": hashlib.sha224(host_id).hexdigest(),
        # As of a server that was booted from a volume.
        "image": "",
        "flavor": {
            "id": FLAVOR["id"],
            "links": _links(request, project, f"flavors/{FLAVOR['id']}")[1:],
        },
        "created": _time(row["created_at"]),
        "updated": _time(row["updated_at"]),
        "addresses": {"private": [{"version": 4, "addr": str(address)}]},
        "accessIPv4": "",
        "accessIPv6": "",
        "key_name": None,
        "config_drive": "",
    }


def _flavor(
    request: webob.Request, project: str | None, row: Document
) -> Document:
    return {**row, "links": _links(request, project, f"flavors/{row['id']}")}


def _links(
    request: webob.Request, project: str | None, resource: str
) -> list[dict[str, str]]:
    """Return the links of a resource: to this version of it, and to any."""
    path = f"{project}/{resource}" if project else resource
    return [
        {
            "rel": rel,
            "href": f"{request.application_url}/"
            f"{urllib.parse.quote(version + path)}",
        }
        for rel, version in (("self", f"{VERSION}/"), ("bookmark", ""))
    ]


def _next(request: webob.Request, marker: str) -> str:
    """Return the URL of the page after the one that the request asks for."""
    query = [
        (name, value)
        for name, value in request.GET.items()
        if name != "marker"
    ]
    query.append(("marker", marker))
    return f"{request.path_url}?{urllib.parse.urlencode(query)}"


def _limit(request: webob.Request) -> int:
    limit = request.GET.get("limit", str(MAX_LIMIT))
    if not re.fullmatch("[0-9]+", limit):
        raise exc.HTTPBadRequest(
            f"The limit must be a whole number, not {limit!r}."
        )
    # Python refuses to read thousands of digits.
    return MAX_LIMIT if len(limit) > 9 else min(int(limit), MAX_LIMIT)


def _after_marker(
    request: webob.Request, rows: Sequence[Document], key: str
) -> Sequence[Document]:
    marker = request.GET.get("marker")
    if marker is None:
        return rows
    keys = [row[key] for row in rows]
    if marker not in keys:
        raise exc.HTTPBadRequest(f"marker [{marker}] not found")
    return rows[keys.index(marker) + 1 :]


def _name(request: webob.Request) -> re.Pattern[str]:
    try:
        return re.compile(request.GET.get("name", ""))
    except re.error as error:
        raise exc.HTTPBadRequest(
            f"The name must be a regular expression: {error}."
        ) from error


def _time(value: str | None) -> str | None:
    """Return a time of SQLite's as the API writes it."""
    # Any value may stand there, once somebody has changed a row.
    return value if value is None else f"{value}"[:19].replace(" ", "T") + "Z"
