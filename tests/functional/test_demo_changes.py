# SPDX-License-Identifier: Apache-2.0
"""The demo with --live: how its records change while it serves."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import states
from nova_ext_sts.demo import command, fleet, living, walk
from tests.functional.test_demo import ACTIVE
from tests.support.applications import answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "what's this%.sqlite"
    fleet.make(file)
    return file


def rows(file: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a file, by their names, without their times."""
    return {
        row["display_name"]: {**row, "updated_at": None}
        for row in fleet.servers(file)
    }


def test_a_change_is_the_states_and_what_hangs_on_them(file: Path) -> None:
    before = rows(file)
    number = before["active"]["id"]
    turns = living.Turns(answering(b"{}"))
    for now, deleted in (
        (states.States("deleted", None, 0), number),
        (states.States("building", "scheduling", 0), 0),
    ):
        fleet.change(file, {ACTIVE: now}, turns.step())
        after = rows(file)
        assert after.pop("active") == before["active"] | now._asdict() | {
            "deleted": deleted
        }
        assert after == {
            name: row for name, row in before.items() if name != "active"
        }
    (updated,) = (
        row["updated_at"]
        for row in fleet.servers(file)
        if row["uuid"] == ACTIVE
    )
    age = datetime.datetime.now(
        datetime.timezone.utc
    ) - datetime.datetime.fromisoformat(f"{updated}+00:00")
    assert abs(age) < datetime.timedelta(hours=1)


def test_a_change_is_seen_whole_or_not_at_all(file: Path) -> None:
    before = rows(file)

    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        assert rows(file) == before
        yield
        assert rows(file) != before

    fleet.change(file, walk.beginnings(), turn())


def test_a_file_that_is_gone_is_not_made_again(file: Path) -> None:
    file.unlink()
    with pytest.raises(fleet.UnusableFile) as caught:
        fleet.change(file, walk.beginnings(), contextlib.nullcontext())
    assert str(caught.value) == (
        f"{file} cannot be used: unable to open database file."
    )
    assert not file.exists()


def test_servers_that_have_lived_are_made_anew(file: Path) -> None:
    before = fleet.servers(file)
    assert not fleet.make(file)
    fleet.change(file, walk.beginnings(), contextlib.nullcontext())
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("DELETE FROM instances WHERE uuid <> 'x'")
    assert fleet.make(file)
    assert fleet.servers(file) == before
    assert not fleet.make(file)


def test_a_response_and_a_step_take_turns() -> None:
    entered, leave = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        entered.set()
        assert leave.wait(30)
        return [b""]

    turns = living.Turns(application)
    order: list[str] = []

    def respond(name: str) -> None:
        turns({}, lambda *_: lambda _: None)
        order.append(name)

    def step() -> None:
        with turns.step():
            # Who comes now waits.
            late.start()
            late.join(0.05)
            order.append("step")

    first, other, late = (
        threading.Thread(target=respond, args=(name,))
        for name in ("response", "response", "late")
    )
    first.start()
    assert entered.wait(30)
    entered.clear()
    other.start()
    # Two responses do not wait for each other.
    assert entered.wait(30)
    stepping = threading.Thread(target=step)
    stepping.start()
    stepping.join(0.05)
    assert order == []
    leave.set()
    for thread in (first, other, stepping, late):
        thread.join()
    assert order == ["response", "response", "step", "late"]


def test_an_application_that_fails_ends_its_turn() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError

    turns = living.Turns(application)
    with pytest.raises(LookupError):
        turns({}, lambda *_: lambda _: None)
    with turns.step():
        pass


def test_servers_that_cannot_be_read_are_one_sentence(file: Path) -> None:
    application = command.pipeline(fleet.connection(file))
    file.unlink()
    with pytest.raises(
        fleet.UnusableFile,
        match=r"^The demo's servers cannot be read: unable to open database",
    ):
        living.servers(application, "http://localhost")
