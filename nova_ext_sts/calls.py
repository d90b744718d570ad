# SPDX-License-Identifier: Apache-2.0
"""Which call of the Compute API a request is."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from nova_ext_sts import extension

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Call(enum.Enum):
    """The calls whose responses the extension describes, or appears in.

    The value is the call's path, behind the API's endpoint, as a pattern. The
    names in lower case are those of the option ``calls``.
    """

    LIST = "servers"
    DETAIL = "servers/detail"
    SHOW = "servers/[^/]+?"
    EXTENSIONS = "extensions"
    EXTENSION = f"extensions/{extension.ALIAS}"


#: Those that the option ``announce`` switches.
ANNOUNCING = frozenset((Call.EXTENSIONS, Call.EXTENSION))


#: An endpoint is a mount point (SCRIPT_NAME, which is not looked at), a
#: version and a project id, each of which may be absent. A project id is
#: never the name of one of our own resources, so that /servers/servers is the
#: server called "servers".
_PATH = re.compile(
    r"(?:/(?:v2|v2\.1|v1\.1))?"
    r"(?:/(?!(?:servers|extensions)/)[^/]+)?"
    rf"/(?:{'|'.join(f'(?P<{call.name}>{call.value})' for call in Call)})"
    r"(?:\.json|\.xml)?/?"
)
_SLASHES = re.compile("//+")


def call_of(environ: WSGIEnvironment) -> Call | None:
    """Return the call that a request is, or None for any other request.

    GET and HEAD only: the responses to PUT and rebuild are the application's
    own (Nova gives them the states itself).
    """
    # For every other request this is the whole cost of the filter: substring
    # tests, before any regular expression.
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return None
    path = environ.get("PATH_INFO", "")
    if "/servers" in path:
        if "//" in path:
            # As Nova's urlmap reads it; some clients send it.
            path = _SLASHES.sub("/", path)
        # /servers/ID/ips, and /os-hypervisors/NAME/servers.
        behind = path.partition("/servers/")[2]
        if "/" in behind[:-1] or "/os-hypervisors/" in path:
            return None
    elif "/extensions" in path:
        path = _SLASHES.sub("/", path)
    else:
        return None
    match = _PATH.fullmatch(path)
    # lastgroup is the one alternative that matched.
    return Call[match.lastgroup] if match and match.lastgroup else None
