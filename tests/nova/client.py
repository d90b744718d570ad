"""Requests to one WSGI application, in process, and their whole answers."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import webtest

from tests.nova.installation import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIApplication

#: Made anew for every request.
_REQUEST_ID = re.compile(r"\breq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclasses.dataclass(frozen=True)
class Api:
    """One face of the Compute API: an endpoint and a microversion."""

    name: str
    endpoint: str
    microversion: str | None

    @property
    def minor(self) -> int:
        """The microversion's second number."""
        return int((self.microversion or "2.1").partition(".")[2])


@dataclasses.dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: str
    #: As sent, the order and repeated headers included.
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def servers(self) -> list[dict[str, Any]]:
        document = self.document
        if "server" in document:
            return [document["server"]]
        servers: list[dict[str, Any]] = document["servers"]
        return servers

    @property
    def next_page(self) -> str | None:
        """The path of the next page, if there is one."""
        for link in self.document.get("servers_links", ()):
            if link["rel"] == "next":
                href: str = link["href"]
                return href.removeprefix("http://localhost")
        return None

    @property
    def comparable_headers(self) -> list[tuple[str, str]]:
        """The headers without what no two answers have in common."""
        return [
            (name, _REQUEST_ID.sub("req-ID", value))
            for name, value in self.headers
        ]


class Client:
    """Speaks to an application that is watched for breaches of PEP 3333."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = webtest.TestApp(application, lint=True)

    def get(self, api: Api, path: str) -> Answer:
        """Return the answer to GET of a path behind the API's endpoint."""
        return self.request(api, api.endpoint + path)

    def request(
        self,
        api: Api,
        path: str,
        *,
        method: str = "GET",
        document: Any = None,
        identity: Mapping[str, str] = ADMIN,
    ) -> Answer:
        """Return the answer to any request, by default an administrator's.

        :param path: the whole path, with a query if wanted
        """
        sent = dict(identity)
        if api.microversion:
            sent["OpenStack-API-Version"] = f"compute {api.microversion}"
        body = b""
        if document is not None:
            body = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        response = self._application.request(
            path, method=method, headers=sent, body=body, expect_errors=True
        )
        return Answer(response.status, response.headerlist, response.body)


class Novas(NamedTuple):
    """Clients of one Nova, with and without the filter."""

    alone: Client
    #: As an operator has it, with the filter in the pipeline.
    extended: Client
    #: With a shim that takes Nova's states away, and the filter.
    restored: Client
    #: With a filter that answers 503 where it has to look up.
    blind: Client
