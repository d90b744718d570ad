# SPDX-License-Identifier: Apache-2.0
"""Letting the demo's servers live while they are served."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Protocol

import webob

from nova_ext_sts.demo import fleet, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Server = dict[str, Any]


class Display(contextlib.AbstractContextManager[Any], Protocol):
    """What shows the servers to who looks at the terminal."""

    def show(
        self, servers: Sequence[Server], changes: Mapping[str, walk.Moment]
    ) -> None:
        """Show the servers as they are now.

        :param servers: in detail, as a client has them
        :param changes: what the last step has changed, by the servers' ids
        """


class Turns:
    """Lets responses and steps take turns.

    A response is read twice: its statuses by the API, and after that its
    states by the filter. A step in between would show in one and not in the
    other. Responses do not wait for each other.

    :param application: the WSGI application that is served
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._turn = threading.Condition()
        self._responses = 0
        self._is_step = False

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request (PEP 3333); all is read before this returns."""
        with self._turn:
            self._turn.wait_for(lambda: not self._is_step)
            self._responses += 1
        try:
            return self._application(environ, start_response)
        finally:
            with self._turn:
                self._responses -= 1
                self._turn.notify_all()

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Wait for the responses that are under way, and hold up others."""
        with self._turn:
            self._is_step = True
            self._turn.wait_for(lambda: not self._responses)
        try:
            yield
        finally:
            with self._turn:
                self._is_step = False
                self._turn.notify_all()


def servers(application: WSGIApplication, url: str) -> list[Server]:
    """Return the servers in detail, as a client has them.

    :raises UnusableFile: they cannot be read
    """
    response = webob.Request.blank(
        "/v2.1/servers/detail", base_url=url
    ).get_response(application)
    if response.status_code != 200:
        (fault,) = response.json.values()
        raise fleet.UnusableFile(fault["message"])
    servers: list[Server] = response.json["servers"]
    return servers


@contextlib.contextmanager
def living(
    turns: Turns, url: str, path: Path, interval: float, display: Display
) -> Iterator[None]:
    """Let the servers live in a thread, while the main one serves.

    Where they cannot go on, the main thread is interrupted.

    :param path: the file with the servers
    :param interval: how long a step lasts, in seconds
    :raises UnusableFile: what the servers could not go on for
    """
    end = threading.Event()

    def live() -> None:
        with display:
            display.show(servers(turns, url), {})
            steps = walk.steps()
            while not end.wait(interval):
                changes = next(steps)
                states = {id: now.states for id, now in changes.items()}
                fleet.change(path, states, turns.step())
                display.show(servers(turns, url), changes)

    def interrupt(_: object) -> None:
        if not end.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        lives: list[concurrent.futures.Future[None]] = []
        # An interrupt may come at any moment.
        try:
            lives.append(pool.submit(live))
            lives[0].add_done_callback(interrupt)
            yield
        finally:
            end.set()
            # Who reads the lines may have seen enough of them.
            with contextlib.suppress(BrokenPipeError):
                for life in lives:
                    life.result()
