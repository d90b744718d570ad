# SPDX-License-Identifier: Apache-2.0
"""The media types of the Compute API's responses."""

from __future__ import annotations

import re
from typing import NamedTuple

#: The format of a body, by its media type.
FORMATS = {
    "application/json": "json",
    "application/vnd.openstack.compute+json": "json",
    "application/xml": "xml",
    "application/vnd.openstack.compute+xml": "xml",
}

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)', re.IGNORECASE)


class Media(NamedTuple):
    """What a Content-Type says of a body."""

    format: str
    charset: str | None


def media_of(content_type: str) -> Media | None:
    """Return what the value of Content-Type says; None if it is not ours."""
    format = FORMATS.get(content_type.partition(";")[0].strip().lower())
    if format is None:
        return None
    charset = _CHARSET.search(content_type)
    return Media(format, charset[1] if charset else None)
