"""What is published of the options."""

from __future__ import annotations

from nova_ext_sts import opts


def test_listed_options_are_copies() -> None:
    ((group, listed),) = opts.list_opts()
    assert group == "extended_status"
    assert [opt.name for opt in listed] == [opt.name for opt in opts.OPTS]
    assert listed[0] is not opts.OPTS[0]
