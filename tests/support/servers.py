"""Database servers of a test's own, to be stopped, frozen and killed."""

from __future__ import annotations

import abc
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
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.support.lookups import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

#: How long a server may take to start or to end, in seconds.
PATIENCE = 60.0


class Server(abc.ABC):
    """A server on a free port, with its files in a new directory.

    Where its binary is missing, the test is skipped.

    :param options: of the server, besides those that it needs here
    :param files: copied into its directory, to be read by it alone
    """

    #: Where the binaries of Debian's packages are, if not on the path.
    places: Sequence[str] = ("/usr/sbin",)

    def __init__(self, *options: str, files: Sequence[Path] = ()) -> None:
        self._options = options
        self.port = free_port()
        self.version = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path(
            tempfile.mkdtemp(prefix="nova-ext-sts-", dir=self.parent)
        )
        try:
            for file in files:
                shutil.copy(file, self.directory)
                (self.directory / file.name).chmod(0o600)
            for path in (self.directory, *self.directory.iterdir()):
                shutil.chown(path, self.user)
            self._initialize()
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
    def user(self) -> str:
        """The user of the server's process and files."""
        return getpass.getuser()

    @property
    def parent(self) -> Path:
        """Where the new directory is made."""
        return Path(tempfile.gettempdir())

    @property
    def url(self) -> sa.engine.URL:
        """The administrator's, for SQLAlchemy."""
        return sa.engine.make_url(
            f"mysql+pymysql://root@127.0.0.1:{self.port}"
        )

    @abc.abstractmethod
    def _initialize(self) -> None:
        """Write the server's files into its directory."""

    @abc.abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the command that runs the server."""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        command = self._command()
        with (self.directory / "output").open("ab") as output:
            self._process = process = subprocess.Popen(
                [self._binary(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # An interrupted test ends it, not the terminal.
                start_new_session=True,
                user=self.user,
                cwd=self.directory,
            )

        def is_ready() -> bool:
            assert process.poll() is None
            with contextlib.suppress(OSError, sa.exc.OperationalError):
                self.version = self._connect()
                return True
            return False

        try:
            wait_until(is_ready, PATIENCE)
        except AssertionError:
            print((self.directory / "output").read_text())
            raise

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
        if self._process:
            self.kill()
        shutil.rmtree(self.directory)

    def _end(self, number: signal.Signals) -> None:
        assert self._process
        processes = self._signal(number)
        self._process.wait(PATIENCE)
        self._process = None
        # Those of PostgreSQL's that live on keep another server from starting.
        wait_until(lambda: not any(map(is_alive, processes)), PATIENCE)

    def _signal(self, number: signal.Signals) -> Sequence[int]:
        """Send a signal to all processes of the server, and return them."""
        assert self._process
        main = self._process.pid
        processes = [main]
        # A backend of PostgreSQL's leads a process group of its own.
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{main}/task/{main}/children").read_text()
            processes += map(int, children.split())
        stopping = number is signal.SIGTERM
        for process in processes[:1] if stopping else processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return processes

    def _connect(self) -> str:
        """Connect once, to see whether it is ready; return its version."""
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            numbers = connection.dialect.server_version_info or ()
            return ".".join(map(str, numbers[:3]))

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [self._binary(command[0]), *command[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=self.user,
            cwd=self.directory,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode()

    def _binary(self, name: str) -> str:
        path = os.pathsep.join([*self.places, os.environ["PATH"]])
        found = shutil.which(name, path=path)
        if not found:
            pytest.skip(f"{name} is not installed")
        return found


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
    def _initialize(self) -> None:
        self._run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.directory}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def _command(self) -> Sequence[str]:
        return [
            "mariadbd",
            "--no-defaults",
            f"--user={self.user}",
            f"--datadir={self.directory}/data",
            f"--socket={self.directory}/socket",
            f"--pid-file={self.directory}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--character-set-server=utf8mb4",
            # What it holds need only outlive its own process.
            "--innodb-flush-log-at-trx-commit=2",
            *self._options,
        ]


class PostgreSQL(Server):
    """Its options are written ``name=value``."""

    places = tuple(map(str, Path("/usr/lib/postgresql").glob("*/bin")))

    @property
    def user(self) -> str:
        # It refuses to run as root; Debian's package makes this user.
        return "postgres" if os.geteuid() == 0 else super().user

    @property
    def url(self) -> sa.engine.URL:
        return sa.engine.make_url(
            "postgresql+psycopg://postgres@127.0.0.1:"
            f"{self.port}/postgres?connect_timeout=5"
        )

    def _initialize(self) -> None:
        self._run(
            "initdb",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            f"--pgdata={self.directory}/data",
        )

    def _command(self) -> Sequence[str]:
        options = (
            f"unix_socket_directories={self.directory}",
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "fsync=off",
            *self._options,
        )
        return [
            *("postgres", "-D", f"{self.directory}/data"),
            *(word for option in options for word in ("-c", option)),
        ]


KINDS: dict[str, type[Server]] = {"mysql": MariaDB, "postgresql": PostgreSQL}
