"""Templates of URLs in cell mappings."""

import pytest

from nova_ext_sts.records.mappings import filled


@pytest.mark.parametrize(
    ("template", "url", "expected"),
    [
        (
            "{scheme}://{username}:{password}@{hostname}:{port}/x?{query}",
            "mysql+pymysql://u:p%40ss@db:3307/nova?charset=utf8#f",
            "mysql+pymysql://u:p%40ss@db:3307/x?charset=utf8",
        ),
        (
            "{hostname}:{port}/{path}#{fragment}",
            "x://[::1]/a/b#f",
            "::1:None/a/b#f",
        ),
        ("{username}{password}", "x://h/a", "NoneNone"),
        ("{username}:{password}@", "x://root@h/a", "root:None@"),
        ("{username}:{password}@", "x://:p@h/a", ":p@"),
        (
            "{username1}{password1}{hostname1}{port1} {username2}{hostname2}"
            "{port2}",
            "x://u:p@h:1,v:q@i:2/a",
            "uph1 vi2",
        ),
        ("{unknown}", "x://h/a", "{unknown}"),
        ("{", "x://h/a", "{"),
        ("{0}", "x://h/a", "{0}"),
        ("{port.x}", "x://h/a", "{port.x}"),
    ],
)
def test_template_is_filled_as_nova_fills_it(template, url, expected):
    assert filled(template, url) == expected
