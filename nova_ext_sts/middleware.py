# SPDX-License-Identifier: Apache-2.0
"""The WSGI filter, from the request to the changed response."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging
from oslo_middleware import base

from nova_ext_sts import extension, records, settings
from nova_ext_sts.calls import EXTENSION_CALLS, Call, call_of
from nova_ext_sts.documents import READERS
from nova_ext_sts.monkey_patching import may_look_up
from nova_ext_sts.policy import Policy
from nova_ext_sts.printable import printable
from nova_ext_sts.records import (
    DatabaseUnavailable,
    Records,
    RecordsUnavailable,
)
from nova_ext_sts.records.backoff import Outage
from nova_ext_sts.response import Response
from nova_ext_sts.states import NO_STATES

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Mapping,
        Sequence,
    )

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )
    from oslo_config import cfg

    from nova_ext_sts.states import States

LOG = logging.getLogger(__name__)

#: The ids that are looked up, so that no driver quotes untrusted text.
_ID = re.compile(r"[A-Za-z0-9._~:@+=-]{1,255}")


class ExtendedStatus(base.ConfigurableMiddleware):
    """Adds the extended status of servers to a Compute API's responses.

    The responses to GET list, detail and show get ``OS-EXT-STS:vm_state``,
    ``OS-EXT-STS:task_state`` and ``OS-EXT-STS:power_state`` for every server,
    read from the instance records; all bytes that the application wrote are
    kept. The responses to GET /extensions and /extensions/OS-EXT-STS get the
    extension's entry. All other responses pass unchanged.

    Threads share the object. It keeps no state of a request.

    :param application: the Compute API
    :param conf: the filter's own options, ``{name: value}``, with any of
        oslo.middleware's ``oslo_config_project``, ``oslo_config_file`` and
        ``oslo_config_program``; or an oslo.config object with all options
    :raises ConfigurationError: an option is unknown or invalid, or no
        database is configured

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
        # It may hold passwords, and is not needed again.
        self.conf = {}
        self._calls = frozenset(
            call
            for call in Call
            if call.name.lower() in self.settings.calls
            or (call in EXTENSION_CALLS and self.settings.announce)
        )
        self._source = records.load(self.settings)
        self._outage = Outage(
            f"the record source {self.settings.record_source}"
        )
        self._policy = Policy(self.oslo_conf)

    @classmethod
    def factory(
        cls, global_conf: Mapping[str, Any] | None, **local_conf: Any
    ) -> Callable[[WSGIApplication], ExtendedStatus]:
        """Return a function that wraps an application in the filter.

        :param global_conf: paste's ``[DEFAULT]``; only oslo.middleware's own
            options are read, because other filters share the section
        :param local_conf: the options in the filter's own section
        """
        conf = {
            name: value
            for name, value in (global_conf or {}).items()
            if name in settings.PASTE_OPTIONS
        } | local_conf

        # The repr of a partial would show the options, with passwords.
        def filter_application(application: WSGIApplication) -> ExtendedStatus:
            return cls(application, conf)

        return filter_application

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Handle a request (PEP 3333)."""
        call = call_of(environ)
        # The hot path: a request that the filter does not handle costs this
        # test and nothing else.
        if (
            call is None
            or call not in self._calls
            or (
                call not in EXTENSION_CALLS
                and not self._policy.permits(environ)
            )
        ):
            return self.application(environ, start_response)
        response = Response(self.application, environ)
        try:
            self._change(response, call, environ)
            return response.send(start_response)
        except BaseException:
            # The server has received no iterable that it could close.
            response.close()
            raise

    def _change(
        self, response: Response, call: Call, environ: WSGIEnvironment
    ) -> None:
        """Change a response; an error leaves it unchanged."""
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        limit = self.settings.max_body_size
        is_unknown = call is Call.EXTENSION and response.code == "404"
        if not (is_unknown or response.is_changeable(limit)):
            pass
        elif is_head:
            response.drop_validators()
        elif is_unknown:
            body_format = response.body_format or "json"
            response.replace(
                "200 OK", body_format, extension.DOCUMENTS[body_format]
            )
        elif (body := response.read(limit)) is not None:
            try:
                if call in EXTENSION_CALLS:
                    corrected = extension.corrected(
                        body, response.body_format, call.name.lower()
                    )
                    if corrected is not body:
                        response.replace_body(corrected)
                else:
                    self._extend(response, call, environ, body)
            except (ValueError, RecursionError) as error:
                LOG.debug(
                    "A response to %s is left unchanged: %r",
                    call.name.lower(),
                    error,
                )
            except Exception as error:
                # For example, a plug-in returned a state of the wrong type.
                # The text of an unknown error may contain a secret.
                LOG.error(
                    "A response to %s is left unchanged: changing it raised "
                    "%s",
                    call.name.lower(),
                    type(error).__name__,
                )

    def _extend(
        self,
        response: Response,
        call: Call,
        environ: WSGIEnvironment,
        body: bytes,
    ) -> None:
        """Add the states of the servers in a response."""
        started = time.perf_counter()
        document = READERS[response.body_format](
            body, call, overwrite=self.settings.overwrite
        )
        ids = document.server_ids
        if not ids:
            return
        lookup_started = time.perf_counter()
        unavailable: Collection[str] = ()
        try:
            found = self._lookup(ids)
        except RecordsUnavailable as error:
            if self.settings.on_error == "fail":
                response.fail(math.ceil(self.settings.timeout))
                return
            found = Records.of(error.records)
            unavailable = ids if error.ids is None else error.ids
        lookup = time.perf_counter() - lookup_started
        states: Mapping[str, States] = found
        if self.settings.missing_record == "null":
            without_record = set(ids).difference(unavailable)
            states = {**dict.fromkeys(without_record, NO_STATES), **found}
        spliced = document.splice(states) if states else body
        if spliced == body:
            return
        response.replace_body(spliced)
        splice = time.perf_counter() - started - lookup
        LOG.debug(
            "extended call=%s request=%s servers=%d found=%d cells=%s "
            "lookup_ms=%.1f splice_ms=%.1f",
            call.name.lower(),
            printable(str(environ.get("openstack.request_id", "-"))),
            len(ids),
            len(found),
            "-" if found.cells is None else found.cells,
            lookup * 1000,
            splice * 1000,
        )
        if self.settings.server_timing:
            description = f"{len(ids)} servers"
            if found.cells is not None:
                description += f", {found.cells} cells"
            milliseconds = (lookup + splice) * 1000
            timing = f'ext-sts;dur={milliseconds:.1f};desc="{description}"'
            response.headers.append(("Server-Timing", timing))

    def _lookup(self, ids: Sequence[str]) -> Records:
        """Return the records of servers.

        :raises RecordsUnavailable: some cannot be read, which is logged
        """
        valid_ids = list(filter(_ID.fullmatch, ids))
        if not valid_ids:
            return Records()
        if not may_look_up():
            raise RecordsUnavailable("another native thread looks up")
        try:
            found = Records.of(self._source.lookup(valid_ids))
        except DatabaseUnavailable:
            raise
        except RecordsUnavailable as error:
            self._outage.failed(error.reason)
            raise
        except Exception as error:
            # The text of an unknown error may contain a secret.
            reason = f"it raised {type(error).__name__}"
            self._outage.failed(reason)
            raise RecordsUnavailable(reason) from error
        self._outage.succeeded()
        return found
