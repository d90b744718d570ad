"""Database servers of a test's own, to be stopped, frozen and killed."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import sqlalchemy as sa

from tests.support.lookups import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Self

#: How long a server may take to start or to end, in seconds.
PATIENCE = 60.0


class Server:
    """A server on a free port, with its files in a new directory.

    Without its binary the test is skipped. The words of its command lines,
    its configuration and its URL are formatted with ``self``.

    :param options: appended to the command line
    :param files: copied into its directory, to be read by it alone
    :param behind: the server behind it
    :param lines: for its configuration
    """

    #: What makes its data, and what runs it.
    initialize = ""
    command: str
    #: The text of ``server.conf``.
    configuration = ""
    #: The administrator's, for SQLAlchemy. Without one, a server is ready when
    #: it accepts connections.
    address = "mysql+pymysql://root@127.0.0.1:{self.port}"
    #: Where the binaries of Debian's packages are, if not on the path.
    places: Sequence[str] = ("/usr/sbin",)
    #: The user of Debian's package, if the server refuses to run as root.
    package_user = ""

    def __init__(
        self,
        *options: str,
        files: Iterable[Path] = (),
        behind: Server | None = None,
        lines: str = "",
    ) -> None:
        self.options = options
        self.behind = behind
        self.lines = lines
        self.port = free_port()
        self.version = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.user = getpass.getuser()
        if self.package_user and os.geteuid() == 0:
            self.user = self.package_user
        self.directory = Path(
            tempfile.mkdtemp(prefix="nova-ext-sts-", dir=self.root / "tmp")
        )
        try:
            for file in files:
                shutil.copy(file, self.directory)
            text = self.configuration.format(self=self)
            (self.directory / "server.conf").write_text(text)
            for path in self.directory.iterdir():
                path.chmod(0o600)
                shutil.chown(path, self.user)
            shutil.chown(self.directory, self.user)
            if self.initialize:
                subprocess.run(
                    self._words(self.initialize),
                    stdin=subprocess.DEVNULL,
                    user=self.user,
                    cwd=self.directory,
                    check=True,
                )
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.version}"

    @property
    def root(self) -> Path:
        """The root directory of the server's process."""
        return Path("/")

    @property
    def inside(self) -> Path:
        """The server's directory as its process sees it."""
        return "/" / self.directory.relative_to(self.root)

    @property
    def url(self) -> sa.engine.URL:
        return sa.engine.make_url(self.address.format(self=self))

    def start(self) -> None:
        # What it writes is shown by pytest, if a test fails.
        self.process = process = subprocess.Popen(
            [*self._words(self.command), *self.options],
            stdin=subprocess.DEVNULL,
            # An interrupted test ends it, not the terminal.
            start_new_session=True,
            user=self.user,
            cwd=self.directory,
        )

        def is_ready() -> bool:
            assert process.poll() is None
            with contextlib.suppress(OSError, sa.exc.OperationalError):
                self.connect_once()
                return True
            return False

        wait_until(is_ready, PATIENCE)

    def connect_once(self) -> None:
        """Connect, to see whether it is ready; note its version."""
        if not self.address:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            numbers = connection.dialect.server_version_info or ()
            self.version = ".".join(map(str, numbers[:3]))

    def kill(self) -> None:
        """End it at once, as the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as for an update of its package."""
        self._end(signal.SIGTERM)

    @contextlib.contextmanager
    def killed(self) -> Iterator[None]:
        """Have no server for a while."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def frozen(self, delay: float = 0.0) -> Iterator[None]:
        """Have a server that accepts, and says nothing.

        :param delay: after how many seconds it falls silent
        """
        timer = threading.Timer(delay, self._signal, [signal.SIGSTOP])
        timer.start()
        if not delay:
            timer.join()
        try:
            yield
        finally:
            timer.join()
            self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self.process:
            self.kill()
        shutil.rmtree(self.directory)

    def _end(self, number: signal.Signals) -> None:
        assert self.process
        processes = self._signal(number)
        self.process.wait(PATIENCE)
        self.process = None
        # Those of PostgreSQL's that live on keep another server from starting.
        wait_until(lambda: not any(map(is_alive, processes)), PATIENCE)

    def _signal(self, number: signal.Signals) -> Sequence[int]:
        """Send a signal to all processes of the server, and return them."""
        assert self.process
        main = self.process.pid
        processes = [main]
        # Each backend of PostgreSQL's leads a process group.
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{main}/task/{main}/children").read_text()
            processes += map(int, children.split())
        stopping = number is signal.SIGTERM
        for process in processes[:1] if stopping else processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return processes

    def _words(self, command: str) -> list[str]:
        words = [word.format(self=self) for word in command.split()]
        if self.root != Path("/"):
            words = ["chroot", str(self.root), *words]
        path = os.pathsep.join([*self.places, os.environ["PATH"]])
        found = shutil.which(words[0], path=path)
        if not found:
            missing(f"{words[0]} is not installed")
        return [found, *words[1:]]


def missing(reason: str) -> NoReturn:
    """Skip a test, or fail it where all servers are required."""
    if os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"):
        pytest.fail(reason)
    pytest.skip(reason)


def is_alive(process: int) -> bool:
    """Return whether a process has not ended; a zombie has."""
    with contextlib.suppress(OSError):
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    return False


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class MariaDB(Server):
    initialize = """
        mariadb-install-db --no-defaults --datadir={self.directory}/data
        --auth-root-authentication-method=normal --skip-test-db
    """
    # Without a flush for each commit: its data need not outlive the machine.
    command = """
        mariadbd --no-defaults --user={self.user}
        --datadir={self.directory}/data --socket={self.directory}/socket
        --pid-file={self.directory}/pid
        --bind-address=127.0.0.1 --port={self.port}
        --character-set-server=utf8mb4
        --innodb-flush-log-at-trx-commit=2
    """


class PostgreSQL(Server):
    initialize = """
        initdb --username=postgres --auth=trust --encoding=UTF8 --no-sync
        --pgdata={self.directory}/data
    """
    command = """
        postgres -D {self.directory}/data
        --unix_socket_directories={self.directory}
        --listen_addresses=127.0.0.1 --port={self.port} --fsync=off
    """
    address = (
        "postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        "?connect_timeout=5"
    )
    places = tuple(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    package_user = "postgres"
