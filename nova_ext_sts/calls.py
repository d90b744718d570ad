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
    """The API calls that the filter handles.

    The value is a pattern for the path below the API's endpoint. The names in
    lower case are the values of the option ``calls``.
    """

    LIST = "servers"
    DETAIL = "servers/detail"
    SHOW = "servers/[^/]+?"
    EXTENSIONS = "extensions"
    EXTENSION = f"extensions/{extension.ALIAS}"


#: The calls that the option ``announce`` enables.
EXTENSION_CALLS = frozenset((Call.EXTENSIONS, Call.EXTENSION))

#: An endpoint consists of a mount point (in SCRIPT_NAME, which is ignored), a
#: version and a project id, all optional. A project id is never "servers" or
#: "extensions", so that /servers/servers shows the server "servers".
_PATH = re.compile(
    r"(?:/(?:v2|v2\.1|v1\.1))?"
    r"(?:/(?!(?:servers|extensions)/)[^/]+)?"
    rf"/(?:{'|'.join(f'(?P<{call.name}>{call.value})' for call in Call)})"
    r"(?:\.json|\.xml)?/?"
)
_SLASHES = re.compile("//+")


def call_of(environ: WSGIEnvironment) -> Call | None:
    """Return the call of a request, or None if the filter ignores it.

    Only GET and HEAD: Nova's responses to PUT and rebuild have the states
    already.
    """
    # The hot path: for most requests these substring tests are the whole cost
    # of the filter.
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return None
    path = environ.get("PATH_INFO", "")
    if "/servers" in path:
        if "//" in path:
            # Some clients send it, and Nova's urlmap folds it.
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
    # lastgroup is the name of the alternative that matched.
    return Call[match.lastgroup] if match and match.lastgroup else None
