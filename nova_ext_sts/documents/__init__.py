# SPDX-License-Identifier: Apache-2.0
"""The response bodies that hold servers: locate them, splice their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_ext_sts.documents import json_body, xml_body

if TYPE_CHECKING:
    from nova_ext_sts.documents.document import Document

#: The reader of each format in ``response.FORMATS``.
READERS: dict[str, type[Document]] = {
    "json": json_body.Servers,
    "xml": xml_body.Servers,
}
