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
    """Finds the servers of a body, or raises ValueError."""

    def __call__(
        self, body: bytes, call: Call, *, overwrite: bool
    ) -> Document: ...


#: What reads each media type of the Compute API.
READERS: dict[str, Reader] = {
    "application/json": json.Servers,
    "application/vnd.openstack.compute+json": json.Servers,
}


def is_known(content_type: str) -> bool:
    """Say whether ``read`` reads what the header's value names."""
    return _media_type(content_type) in READERS


def read(
    body: bytes, content_type: str, call: Call, *, overwrite: bool
) -> Document:
    """Return the document that a response's body is.

    :param body: the body, without any content coding
    :param content_type: the value of Content-Type, a known one
    :param call: the call that was answered
    :param overwrite: whether states that the application gave are replaced
    :raises ValueError: the body is not a valid document of that call
    :raises RecursionError: it is nested too deeply
    """
    reader = READERS[_media_type(content_type)]
    return reader(body, call, overwrite=overwrite)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
