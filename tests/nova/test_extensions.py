"""Nova lists the extension with a placeholder; the filter corrects it."""

import pytest

from nova_ext_sts import extension
from tests.nova.comparison import assert_changed

ALIAS = extension.ALIAS
CORRECT = {"namespace": extension.NAMESPACE, "updated": extension.UPDATED}


@pytest.mark.parametrize("path", ["/extensions", f"/extensions/{ALIAS}"])
def test_novas_entry_is_corrected_and_nothing_else(path, api, novas):
    said = novas.alone.request(api, path)
    document = said.json
    entries = document.get("extensions") or [document["extension"]]
    (ours,) = (entry for entry in entries if entry["alias"] == ALIAS)
    assert ours["namespace"].endswith("fake_xml")
    ours |= CORRECT
    assert_changed(novas.extended.request(api, path), said, document)
