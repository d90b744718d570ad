"""Many rows as one."""

from __future__ import annotations

from typing import Any

import pytest

from nova_ext_sts.records.packed import packed, unpacked


def test_packed_statement_reads_the_same_columns() -> None:
    assert (
        packed(
            "SELECT a.x, b.y FROM a LEFT JOIN b ON z FROM IN (1)",
            "SELECT COUNT(*), F({columns}) FROM {rest}",
        )
        == "SELECT COUNT(*), F(a.x, b.y) FROM a LEFT JOIN b ON z FROM IN (1)"
    )


def test_rows_come_out_of_one() -> None:
    text = '["a", "x ", null, 1],["b\\u0000\\"", "X", "é", -2]'
    assert unpacked([(2, text)]) == [
        ("a", "x ", None, 1),
        ('b\0"', "X", "é", -2),
    ]


def test_no_rows_are_none() -> None:
    assert unpacked([(0, None)]) == []


@pytest.mark.parametrize(
    "row",
    [
        (1, None),
        (2, '["a", 1]'),
        (2, '["a", 1],'),
        (2, '["a", 1],["b"'),
        (1, "null"),
        (1, '["\ud800"]'),
    ],
)
def test_row_that_does_not_hold_all_is_not_taken(row: Any) -> None:
    assert unpacked([row]) is None
