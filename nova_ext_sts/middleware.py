# SPDX-License-Identifier: Apache-2.0
"""The WSGI filter: the way of a request."""

from __future__ import annotations

import functools
import math
import time
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging
from oslo_middleware import base

from nova_ext_sts import codings, responses, settings
from nova_ext_sts.announcements import ANNOUNCERS
from nova_ext_sts.calls import ANNOUNCING, Call, call_of
from nova_ext_sts.capture import Capture, Whole, for_whole
from nova_ext_sts.documents import READERS
from nova_ext_sts.lookup import Lookup
from nova_ext_sts.media import Media, media_of
from nova_ext_sts.policy import Policy
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.report import Report

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterable,
        Mapping,
    )

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )
    from oslo_config import cfg

    from nova_ext_sts.capture import Head

LOG = logging.getLogger(__name__)


class ExtendedStatus(base.ConfigurableMiddleware):
    """Gives each server in a Compute API's responses its extended status.

    The responses to GET list, detail and show get ``OS-EXT-STS:vm_state``,
    ``OS-EXT-STS:task_state`` and ``OS-EXT-STS:power_state`` for every server,
    read from the instance records; the responses to GET /extensions and
    /extensions/OS-EXT-STS tell of the extension. What the application wrote
    stays, byte for byte, and every other response passes as it is.

    One object serves all threads; it keeps nothing of a request.

    :param application: what speaks the Compute API
    :param conf: the filter's own options, ``{name: value}``, with any of
        oslo.middleware's ``oslo_config_project``, ``oslo_config_file`` and
        ``oslo_config_program``; or an oslo.config object to read all from
    :raises ConfigurationError: an option is unknown or bad, or no database
        is known

    .. code-block:: ini

        [filter:extended_status]
        paste.filter_factory = nova_ext_sts:filter_factory
    """

    application: WSGIApplication

    def __init__(
        self,
        application: WSGIApplication,
        conf: dict[str, Any] | cfg.ConfigOpts | None = None,
    ) -> None:
        super().__init__(application, conf)
        self.settings = settings.read(self.oslo_conf, self.conf)
        # Nothing reads it again, and it may hold passwords.
        self.conf = {}
        self._calls = frozenset(
            call
            for call in Call
            if call.name.lower() in self.settings.calls
            or (call in ANNOUNCING and self.settings.announce)
        )
        self._lookup = Lookup(self.settings)
        self._policy = Policy(self.oslo_conf)

    @classmethod
    def factory(
        cls, global_conf: Mapping[str, Any] | None, **local_conf: Any
    ) -> Callable[[WSGIApplication], ExtendedStatus]:
        """Return what makes a filter of these options around an application.

        :param global_conf: paste's ``[DEFAULT]``, of which only
            oslo.middleware's own options are read: the others may be anybody's
        :param local_conf: the options in the filter's own section
        """
        conf = {
            name: value
            for name, value in (global_conf or {}).items()
            if name in settings.PASTE_OPTIONS
        } | local_conf

        # Not a partial: its repr would show the options, passwords included.
        def filter(application: WSGIApplication) -> ExtendedStatus:
            return cls(application, conf)

        return filter

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        call = call_of(environ)
        if (
            call is None
            or call not in self._calls
            # Who may not see states gets what the application says to them.
            or (call not in ANNOUNCING and not self._policy.permits(environ))
        ):
            return self.application(environ, start_response)
        capture = Capture(
            start_response,
            functools.partial(self._is_wanted, call),
            self.settings.max_body_size,
        )
        body = capture.call(self.application, for_whole(environ))
        head = capture.head
        if head is None or not isinstance(body, Whole):
            return body
        try:
            body[:] = [b"".join(body)]
            changed = self._changed(environ, call, head, body[0])
            if changed is not None:
                head, body[:] = changed[0], [changed[1]]
            head.send(start_response)
        except BaseException:
            # Nobody else knows the body.
            body.close()
            raise
        return body

    def _is_wanted(self, call: Call, head: Head) -> bool:
        """Say whether a response is to be changed, as far as its head says."""
        if head.code not in ("200", "203"):
            return head.code == "404" and call is Call.EXTENSION
        length = head.header("content-length")[:20]
        coding = _coding(head)
        return (
            media_of(head.header("content-type")) is not None
            and (not coding or codings.is_known(coding))
            # Not for an application to send; who does may mean it.
            and not head.header("transfer-encoding")
            and not (
                length.isdecimal()
                and int(length) > self.settings.max_body_size
            )
        )

    def _changed(
        self, environ: WSGIEnvironment, call: Call, head: Head, body: bytes
    ) -> tuple[Head, bytes] | None:
        """Return what goes out instead, or None where nothing does."""
        media = media_of(head.header("content-type")) or Media("json", None)
        if head.code == "404":
            document = ANNOUNCERS[media.format].document
            return responses.found(head.headers, media.format, document)
        coding = _coding(head)
        try:
            if coding:
                body = codings.decoded(
                    body, coding, self.settings.max_body_size
                )
            if call in ANNOUNCING:
                return self._announced(call, head, media, body)
            return self._extended(environ, call, head, media, body)
        except (ValueError, RecursionError) as error:
            LOG.debug("A response to %s passes as it is: %r", call, error)
            return None
        except Exception as error:
            # A record source may be anybody's, and what it gave may be no
            # States: the application's answer is not lost for that.
            self._lookup.failed(
                f"what it gave cannot be written ({type(error).__name__})"
            )
            return None

    def _announced(
        self, call: Call, head: Head, media: Media, body: bytes
    ) -> tuple[Head, bytes] | None:
        """Return the response with the extension's own entry put right."""
        announcer = ANNOUNCERS[media.format]
        put_right = (
            announcer.listed if call is Call.EXTENSIONS else announcer.shown
        )
        right = put_right(body, media.charset)
        return None if right is body else _fitting(head, right)

    def _extended(
        self,
        environ: WSGIEnvironment,
        call: Call,
        head: Head,
        media: Media,
        body: bytes,
    ) -> tuple[Head, bytes] | None:
        """Return the response with its servers' states."""
        began = time.perf_counter()
        document = READERS[media.format](
            body,
            call,
            overwrite=self.settings.overwrite,
            charset=media.charset,
        )
        ids = document.server_ids
        if not ids:
            return None
        asked = time.perf_counter()
        try:
            found = self._lookup.states(ids)
        except RecordsUnavailable:
            return responses.unavailable(
                head.headers, media.format, math.ceil(self.settings.timeout)
            )
        answered = time.perf_counter()
        spliced = document.splice(found.states) if found.states else body
        if spliced == body:
            return None
        head, body = _fitting(head, spliced)
        report = Report(
            call=call.name.lower(),
            request_id=environ.get("openstack.request_id", "-"),
            servers=len(ids),
            found=found.found,
            cells=found.cells,
            lookup=answered - asked,
            splice=time.perf_counter() - answered + asked - began,
        )
        report.log()
        if self.settings.server_timing:
            head.headers.append(("Server-Timing", report.server_timing))
        return head, body


def _fitting(head: Head, body: bytes) -> tuple[Head, bytes]:
    headers = responses.fitted(
        head.headers, len(body), decoded=bool(_coding(head))
    )
    return head._replace(headers=headers), body


def _coding(head: Head) -> str:
    coding = head.header("content-encoding").lower()
    return "" if coding == "identity" else coding
