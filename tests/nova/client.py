"""Requests to one WSGI application, in process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import webtest

from tests.nova.installation import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIApplication


class Api(NamedTuple):
    """One face of the Compute API."""

    endpoint: str
    microversion: str | None


class Client:
    """Speaks to an application that is watched for breaches of PEP 3333."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = webtest.TestApp(application, lint=True)

    def request(
        self,
        api: Api,
        path: str,
        *,
        method: str = "GET",
        document: Any = None,
        identity: Mapping[str, str] = ADMIN,
    ) -> webtest.TestResponse:
        """Return the response to a request, by default an administrator's.

        :param path: what is behind the endpoint, with a query if wanted
        """
        headers = dict(identity)
        if api.microversion:
            headers["OpenStack-API-Version"] = f"compute {api.microversion}"
        body = b""
        if document is not None:
            body = json.dumps(document).encode()
            headers["Content-Type"] = "application/json"
        return self._application.request(
            api.endpoint + path,
            method=method,
            headers=headers,
            body=body,
            expect_errors=True,
        )


class Novas(NamedTuple):
    """Clients of one Nova, with and without the filter."""

    alone: Client
    #: As an operator has it, with the filter in the pipeline.
    extended: Client
    #: With a shim that takes Nova's states away, and the filter.
    restored: Client
    #: With a filter that answers 503 where it has to look up.
    blind: Client
