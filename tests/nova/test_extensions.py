"""Nova lists the extension with a placeholder; the filter puts it right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_ext_sts import extension
from tests.nova.comparison import assert_length

if TYPE_CHECKING:
    from tests.nova.client import Api, Client
    from tests.nova.conftest import Tally

PLACEHOLDER = b"http://docs.openstack.org/compute/ext/fake_xml"


def test_entry_in_novas_list_is_put_right_and_nothing_else(
    api: Api, nova_alone: Client, with_filter: Client, tally: Tally
) -> None:
    said = nova_alone.get(api, "/extensions")
    listed = with_filter.get(api, "/extensions")

    assert listed.status == said.status == "200 OK"
    expected = said.document["extensions"]
    (ours,) = (
        entry for entry in expected if entry["alias"] == extension.ALIAS
    )
    assert ours["namespace"].encode() == PLACEHOLDER
    before = listed.body.partition(extension.NAMESPACE.encode())[0]
    ours |= extension.RIGHT
    assert listed.document["extensions"] == expected
    # To the byte: what stood before the entry's namespace stands there still.
    assert said.body.startswith(before + PLACEHOLDER)
    assert_length(listed)
    tally.count(api, listed)


def test_novas_single_entry_is_put_right(
    api: Api, nova_alone: Client, with_filter: Client, tally: Tally
) -> None:
    said = nova_alone.get(api, f"/extensions/{extension.ALIAS}")
    shown = with_filter.get(api, f"/extensions/{extension.ALIAS}")

    assert shown.status == said.status == "200 OK"
    expected = said.document["extension"] | extension.RIGHT
    assert shown.document == {"extension": expected}
    assert_length(shown)
    tally.count(api, shown)
