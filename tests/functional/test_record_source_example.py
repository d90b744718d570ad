"""The example in the documentation of record sources, word for word."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from nova_ext_sts.records import NAMESPACE
from tests.support.applications import answering, filtered
from tests.support.distributions import installed

EXAMPLE = Path(__file__).parents[2] / "doc/source/contributor/redis_records"
#: Not the one that the example's own tests use.
URL = "redis://127.0.0.1:6379/14"


@pytest.fixture
def server():
    """A real Redis, which is skipped or required as the databases are."""
    with redis.Redis.from_url(URL) as server:
        try:
            server.flushdb()
        except redis.ConnectionError as error:
            if os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"):
                raise
            pytest.skip(f"{URL} does not answer: {error}")
        yield server
        server.flushdb()


@pytest.mark.usefixtures("server")
def test_example_keeps_the_contract():
    run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "."]
    done = subprocess.run(run, cwd=EXAMPLE, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_example_is_a_record_source(server, tmp_path, monkeypatch):
    section = f'[project.entry-points."{NAMESPACE}"]'
    _, _, rest = (EXAMPLE / "pyproject.toml").read_text().partition(section)
    match = re.match(r'\n(\w+) = "(\S+)"\n', rest)
    assert match
    name, place = match.groups()
    shutil.copy(EXAMPLE / "redis_records.py", tmp_path)
    installed("redis-records", tmp_path, monkeypatch, **{name: place})
    client = filtered(
        answering(b'{"servers": [{"id": "a"}, {"id": "b"}]}'),
        record_source=name,
        connection=URL,
    )
    server.set("extended-status:a", json.dumps(["active", None, 1]))
    assert client.get("/servers").body == (
        b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "active", '
        b'"OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1}, '
        b'{"id": "b"}]}'
    )
