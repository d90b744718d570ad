"""Nova lists the extension with a placeholder; the filter corrects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_ext_sts import extension
from tests.nova.comparison import assert_length

if TYPE_CHECKING:
    from tests.nova.client import Api, Novas

CORRECT = {"namespace": extension.NAMESPACE, "updated": extension.UPDATED}


def test_entry_in_novas_list_is_corrected_and_nothing_else(
    api: Api, novas: Novas
) -> None:
    said = novas.alone.get(api, "/extensions")
    listed = novas.extended.get(api, "/extensions")

    assert listed.status == said.status == "200 OK"
    expected = said.document["extensions"]
    (ours,) = (
        entry for entry in expected if entry["alias"] == extension.ALIAS
    )
    assert ours["namespace"].endswith("fake_xml")
    ours |= CORRECT
    assert listed.document["extensions"] == expected
    assert_length(listed)


def test_novas_single_entry_is_corrected(api: Api, novas: Novas) -> None:
    said = novas.alone.get(api, f"/extensions/{extension.ALIAS}")
    shown = novas.extended.get(api, f"/extensions/{extension.ALIAS}")

    assert shown.status == said.status == "200 OK"
    expected = said.document["extension"] | CORRECT
    assert shown.document == {"extension": expected}
    assert_length(shown)
