# SPDX-License-Identifier: Apache-2.0
"""Who asks, as far as others have made sure of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_context.context import RequestContext

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from _typeshed.wsgi import WSGIEnvironment


class Caller(NamedTuple):
    """Whoever sent a request, as oslo.policy asks for it."""

    #: The caller's own project and user, as what is to be accessed. Without
    #: those that are not known: to oslo.policy None would equal None.
    target: dict[str, str]
    credentials: MutableMapping[str, Any]


def caller_of(environ: WSGIEnvironment) -> Caller:
    """Return the caller of a request.

    That is whom Nova's context in the environ describes, or else whom
    keystonemiddleware's headers describe. A client can send such headers, too:
    they count only where auth_token has put its plug-in into the environ,
    which no client can do, and has confirmed the token. Everybody else is
    nobody.
    """
    context = environ.get("nova.context")
    if context is None:
        if not (
            "keystone.token_auth" in environ
            and environ.get("HTTP_X_IDENTITY_STATUS") == "Confirmed"
        ):
            return Caller({}, {"roles": [], "is_admin": False})
        # Without overwrite it would become the context of this thread, which
        # the log shows.
        context = RequestContext.from_environ(environ, overwrite=False)
    own = {"project_id": context.project_id, "user_id": context.user_id}
    return Caller(
        {name: value for name, value in own.items() if value is not None},
        context.to_policy_values(),
    )
