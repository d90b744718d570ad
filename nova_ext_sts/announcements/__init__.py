# SPDX-License-Identifier: Apache-2.0
"""The extension's own entry in the responses to GET …/extensions.

One module for each format, which reads and writes as ``Announcer`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts.announcements import json, xml

if TYPE_CHECKING:
    from collections.abc import Callable

    PutRight = Callable[[bytes, str | None], bytes]


class Announcer(NamedTuple):
    """What writes the extension's entry in one format.

    ``listed`` and ``shown`` take a body and the charset in its Content-Type.
    Both return the very body that they were given if its entry is right, and
    raise ValueError or RecursionError where it is not such a document.
    """

    #: The body of a 200 to …/extensions, with exactly one right entry.
    listed: PutRight
    #: The body of a 200 to …/extensions/OS-EXT-STS, put right.
    shown: PutRight
    #: What to answer the latter with where the application does not know it.
    document: bytes


#: What writes each of the formats in ``response.FORMATS``.
ANNOUNCERS = {
    "json": Announcer(json.listed, json.shown, json.DOCUMENT),
    "xml": Announcer(xml.listed, xml.shown, xml.DOCUMENT),
}
