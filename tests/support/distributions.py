"""Distributions that are installed for one test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stevedore import ExtensionManager

from nova_ext_sts.records import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def installed(
    name: str,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    **sources: str,
) -> None:
    """Install the modules in a directory, with record sources.

    :param sources: their entry points, ``MODULE:CLASS`` by name
    """
    information = directory / f"{name.replace('-', '_')}-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    )
    lines = [f"{key} = {place}" for key, place in sources.items()]
    (information / "entry_points.txt").write_text(
        "\n".join([f"[{NAMESPACE}]", *lines, ""])
    )
    monkeypatch.syspath_prepend(directory)
    # stevedore caches the entry points of each namespace.
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})
