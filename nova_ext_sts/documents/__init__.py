# SPDX-License-Identifier: Apache-2.0
"""The response bodies that hold servers, one module for each format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nova_ext_sts.documents import json, xml

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
    """Finds the servers of a body.

    :param body: the body, without any content coding
    :param call: the call that was answered
    :param overwrite: whether states that the application gave are replaced
    :param charset: the parameter of Content-Type
    :raises ValueError: the body is not a valid document of that call
    :raises RecursionError: it is nested too deeply
    """

    def __call__(
        self,
        body: bytes,
        call: Call,
        *,
        overwrite: bool,
        charset: str | None = None,
    ) -> Document: ...


#: What reads each of the formats in ``response.FORMATS``.
READERS: dict[str, Reader] = {"json": json.Servers, "xml": xml.Servers}
