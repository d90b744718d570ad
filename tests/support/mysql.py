"""MySQL and its router, in a chroot.

Debian's stable releases have MariaDB only; its unstable one has MySQL, whose
libraries are newer than the machine's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names the directory of the chroot, which is made if it does not exist.
VARIABLE = "NOVA_EXT_STS_MYSQL_ROOT"
DEFAULT = Path(__file__).parents[2] / ".tox/mysql-root"
PACKAGES = "mysql-server-core,mysql-client-core,mysql-router"
#: Making it downloads 150 MB; seconds.
DOWNLOAD = 900.0

#: MySQL only makes root@localhost, and there is no name resolution here.
ADMINISTRATOR = """\
CREATE USER root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
"""

ROUTER = """\
[DEFAULT]
logging_folder =
runtime_folder = {directory}
data_folder = {directory}

[logger]
level = warning

[routing:all]
bind_address = 127.0.0.1
bind_port = {port}
destinations = 127.0.0.1:{server}
routing_strategy = first-available
protocol = classic
{sharing}
"""

#: As MySQL Router writes it for InnoDB Cluster, but for the delay: each
#: statement may find another session of the server.
SHARING = """connection_sharing = 1
connection_sharing_delay = 0
client_ssl_mode = PREFERRED
client_ssl_cert = {certificates}/server-cert.pem
client_ssl_key = {certificates}/server-key.pem
server_ssl_mode = PREFERRED
"""


@cache
def root() -> Path:
    """Return the chroot's directory, or skip the test.

    Without NOVA_EXT_STS_REQUIRE_DATABASES a failed download skips, too.
    """
    path = Path(os.environ.get(VARIABLE) or DEFAULT).absolute()
    if os.geteuid() != 0:
        pytest.skip("MySQL's chroot needs root")
    if path.exists():
        return path
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed")
    # An interrupted download leaves no chroot.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            [
                # What it mounts and starts ends with it.
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *("debootstrap", "--variant=minbase"),
                *(f"--include={PACKAGES}", "sid", unfinished, _mirror()),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=DOWNLOAD,
        )
        unfinished.rename(path)
    except (subprocess.SubprocessError, OSError) as error:
        if os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"):
            raise
        pytest.skip(f"MySQL cannot be installed: {error}")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def _mirror() -> str:
    """Return the mirror that the machine installs packages from."""
    targets = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
            "Label: Debian",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return targets.stdout.split()[0]


class Confined(Server):
    """A server in the chroot."""

    @property
    def parent(self) -> Path:
        return root() / "tmp"

    @property
    def _inside(self) -> Path:
        """The server's directory as it sees it."""
        return "/" / self.directory.relative_to(root())


class MySQL(Confined):
    @property
    def data(self) -> Path:
        return self._inside / "data"

    def _initialize(self) -> None:
        (self.directory / "administrator").write_text(ADMINISTRATOR)
        self._run(
            *self._mysqld,
            "--initialize-insecure",
            f"--init-file={self._inside}/administrator",
        )

    @property
    def _mysqld(self) -> Sequence[str]:
        return [
            "chroot",
            str(root()),
            "mysqld",
            "--no-defaults",
            "--user=root",
            f"--datadir={self.data}",
        ]

    def _command(self) -> Sequence[str]:
        return [
            *self._mysqld,
            f"--socket={self._inside}/socket",
            f"--pid-file={self._inside}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--skip-name-resolve",
            "--mysqlx=OFF",
            "--secure-file-priv=NULL",
            # What it holds need only outlive its own process.
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            *self._options,
        ]


class MySQLRouter(Confined):
    """Pass connections to a server.

    :param sharing: whether clients share the server's sessions
    """

    def __init__(self, server: MySQL, sharing: bool = False) -> None:
        self.server = server
        self._sharing = sharing
        super().__init__()

    def __str__(self) -> str:
        router = "sharing MySQL Router" if self._sharing else "MySQL Router"
        return f"{router} before {self.server}"

    def _initialize(self) -> None:
        sharing = SHARING.format(certificates=self.server.data)
        (self.directory / "router.conf").write_text(
            ROUTER.format(
                directory=self._inside,
                port=self.port,
                server=self.server.port,
                sharing=sharing if self._sharing else "",
            )
        )

    def _command(self) -> Sequence[str]:
        return [
            "chroot",
            str(root()),
            "mysqlrouter",
            "--user=root",
            f"--config={self._inside}/router.conf",
        ]
