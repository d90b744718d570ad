# SPDX-License-Identifier: Apache-2.0
"""Untrusted text in log messages."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape what is not printable in untrusted text.

    A newline in the name of a cell, or in an error message of a database
    server, must not begin a new line of the log.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text
    )
