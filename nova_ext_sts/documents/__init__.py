# SPDX-License-Identifier: Apache-2.0
"""The response bodies that hold servers, one module for each media type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nova_ext_sts.documents import json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nova_ext_sts.calls import Call
    from nova_ext_sts.states import States


class Document(Protocol):
    """One response body whose servers have been found."""

    @property
    def server_ids(self) -> Sequence[str]:
        """The ids of the servers that lack states, each once."""

    def splice(self, records: Mapping[str, States]) -> bytes:
        """Return the body with the states of the servers in ``records``."""


class Reader(Protocol):
    """Finds the servers of a body, or raises ``ValueError``."""

    def __call__(
        self, body: bytes, call: Call, *, overwrite: bool
    ) -> Document: ...


#: The reader for each media type of the Compute API.
READERS: dict[str, Reader] = {
    "application/json": json.Servers,
    "application/vnd.openstack.compute+json": json.Servers,
}


def reader_for(content_type: str) -> Reader | None:
    """Return the reader for a Content-Type, or None where there is none."""
    return READERS.get(content_type.partition(";")[0].strip().lower())
