"""Untrusted text in log messages."""

import pytest

from nova_ext_sts.printable import printable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cell é☃", "cell é☃"),
        ("a\nERROR forged", "a\\nERROR forged"),
        ("\x1b[2J\u2028\x00", "\\x1b[2J\\u2028\\x00"),
    ],
)
def test_text_begins_no_line_and_controls_no_terminal(text, line):
    assert printable(text) == line
