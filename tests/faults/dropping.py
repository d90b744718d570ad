"""A network of its own, in which all packets are dropped for a while.

Run by ``unshare --net`` with the name of a driver. Writes the account of its
requests as JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.support.account import Account
from tests.support.databases import made
from tests.support.lookups import client_of, wait_for_states
from tests.support.servers import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A queue with room for no packet.
DROP = "tbf rate 8bit burst 1 limit 1"


@contextlib.contextmanager
def dropping() -> Iterator[None]:
    subprocess.run(f"tc qdisc add dev lo root {DROP}".split(), check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


def main(driver: str) -> None:
    account = Account(driver)
    system = driver.partition("+")[0]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with (
        contextlib.closing(KINDS[system]()) as server,
        tempfile.TemporaryDirectory() as directory,
        made(system, Path(directory), server.url) as database,
    ):
        database.insert_instances([("a", "active", None, 1)])
        url = sa.engine.make_url(database.url).set(drivername=driver, query={})
        database.url = url.render_as_string(hide_password=False)
        client = client_of(database, timeout=1)
        account.get(lambda: client.get("/servers"))
        with dropping():
            for _ in range(100):
                account.get(lambda: client.get("/servers"))
        wait_for_states(client.get_list, 6)
        account.get(lambda: client.get("/servers"))
    print(
        json.dumps(
            [
                account.made,
                account.answered,
                account.extended,
                account.slowest,
            ]
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
