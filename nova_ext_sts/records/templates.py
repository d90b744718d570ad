# SPDX-License-Identifier: Apache-2.0
"""The templates of URLs in Nova's cell mappings.

``database_connection`` of a cell may name the parts of the URL in Nova's own
``[database] connection``, as ``{scheme}://{username}:{password}@…``, so that
each API host fills in its own.
"""

from __future__ import annotations

import re
import urllib.parse

_HOST = re.compile(r"\[?([^\]]*?)\]?(?::(\d+))?")


def filled(template: str, url: str | None) -> str:
    """Return a cell's URL, filled in with the parts of another.

    What cannot be filled, because it names a part that there is not, or
    because there is no other URL, is returned as it is, as by Nova.
    """
    if url is None:
        return template
    try:
        return template.format(**_parts(url))
    except Exception:
        # What format() raises is up to the template.
        return template


def _parts(url: str) -> dict[str, str | int | None]:
    """Return the parts of a URL that a cell's template can name.

    They are taken as they stand in the URL, %-codes and all, since they go
    into a URL again; one that is missing is None, as for Nova. Several hosts
    in the netloc have their parts numbered, too.
    """
    split = urllib.parse.urlparse(url)
    parts: dict[str, str | int | None] = {
        "scheme": split.scheme,
        "path": split.path.lstrip("/"),
        "query": split.query,
        "fragment": split.fragment,
    }
    netlocs = {"": split.netloc}
    if "," in split.netloc:
        netlocs |= {
            str(number): netloc
            for number, netloc in enumerate(split.netloc.split(","), 1)
        }
    for number, netloc in netlocs.items():
        userinfo, at, host = netloc.rpartition("@")
        username, colon, password = userinfo.partition(":")
        match = _HOST.fullmatch(host)
        hostname, port = match.groups() if match else (host, None)
        parts |= {
            f"username{number}": username if at else None,
            # An empty password is one, as in "root:@127.0.0.1".
            f"password{number}": password if colon else None,
            f"hostname{number}": hostname or None,
            f"port{number}": port,
        }
    return parts
