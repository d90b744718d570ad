# SPDX-License-Identifier: Apache-2.0
"""Texts of others, as a line of the log can hold them."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with everything escaped that is not printable.

    Names and URLs of cells, and what a server says, may have been written by
    anybody: a newline in them is not to begin a line of the log.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text
    )
