"""WSGI applications and a client for tests of the filter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref import util, validate

import webob
import webtest.lint

from nova_ext_sts import filter_factory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

JSON = ("Content-Type", "application/json")


class Response(NamedTuple):
    """A response as a server sends it, without additional headers."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.headers]


class Client:
    """Sends requests to an application (PEP 3333)."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def get(self, path: str, **headers: str) -> Response:
        """Return the response to a GET.

        :param headers: names as in an environ, ``HTTP_…``
        """
        environ: WSGIEnvironment = {
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            **headers,
        }
        util.setup_testing_defaults(environ)
        request = webob.Request(environ)
        # With exc_info WebOb raises the error, unless it is asked for.
        status, sent, chunks, _ = request.call_application(
            self._application, catch_exc_info=True
        )
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Response(status, sent, body)

    def get_list(self) -> Response:
        """Return the response to GET /servers."""
        return self.get("/servers")


def answering(
    body: bytes,
    *headers: tuple[str, str],
    status: str = "200 OK",
    asked: list[WSGIEnvironment] | None = None,
) -> WSGIApplication:
    """Return an application with one response for all requests.

    :param headers: of the response; a JSON Content-Type by default
    :param asked: collects the environ of each request
    """

    def application(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if asked is not None:
            asked.append(dict(environ))
        start_response(status, list(headers) or [JSON])
        return [body]

    return application


def filtered(application: WSGIApplication, **options: Any) -> Client:
    """Return a client of an application with the filter.

    Two validators check that both sides of the filter conform to PEP 3333.
    """
    validated = validate.validator(application)
    extended = filter_factory({}, **options)(validated)
    return Client(webtest.lint.middleware(extended))
