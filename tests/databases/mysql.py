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

from tests.support.servers import Server, missing

#: Names the directory of the chroot, which is made if it does not exist.
VARIABLE = "NOVA_EXT_STS_MYSQL_ROOT"
DEFAULT = Path(__file__).parents[2] / ".tox/mysql-root"
PACKAGES = "mysql-server-core,mysql-client-core,mysql-router"
#: Making it downloads 150 MB; seconds.
DOWNLOAD = 900.0


@cache
def chroot() -> Path:
    """Return the chroot's directory, or skip the test."""
    path = Path(os.environ.get(VARIABLE) or DEFAULT).absolute()
    if os.geteuid() != 0:
        missing("MySQL's chroot needs root")
    if path.exists():
        return path
    # An interrupted download leaves no chroot.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # What it mounts and starts ends with it.
    command = "unshare --mount --pid --fork --kill-child debootstrap"
    options = f"--variant=minbase --include={PACKAGES} sid"
    try:
        subprocess.run(
            [*command.split(), *options.split(), unfinished, _mirror()],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=DOWNLOAD,
        )
        unfinished.rename(path)
    except (subprocess.SubprocessError, OSError) as error:
        missing(f"MySQL cannot be installed: {error}")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def _mirror() -> str:
    """Return the mirror that the machine installs packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    targets = subprocess.check_output(
        [*command, "Created-By: Packages", "Label: Debian"], text=True
    )
    return targets.split()[0]


class Confined(Server):
    """A server in the chroot."""

    @property
    def root(self) -> Path:
        return chroot()


class MySQL(Confined):
    # There is only root@localhost, and no name resolution.
    configuration = """\
CREATE USER root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
"""
    mysqld = "mysqld --no-defaults --user=root --datadir={self.inside}/data"
    initialize = f"""
        {mysqld} --initialize-insecure
        --init-file={{self.inside}}/server.conf
    """
    # Without a flush for each commit: its data need not outlive the machine.
    command = f"""
        {mysqld} --socket={{self.inside}}/socket --pid-file={{self.inside}}/pid
        --bind-address=127.0.0.1 --port={{self.port}} --skip-name-resolve
        --mysqlx=OFF --secure-file-priv=NULL
        --skip-log-bin --innodb-flush-log-at-trx-commit=2
    """


class MySQLRouter(Confined):
    """Pass connections to a server."""

    name = "MySQL Router"
    configuration = """\
[DEFAULT]
logging_folder =
runtime_folder = {self.inside}
data_folder = {self.inside}

[logger]
level = warning

[routing:all]
bind_address = 127.0.0.1
bind_port = {self.port}
destinations = 127.0.0.1:{self.behind.port}
routing_strategy = first-available
protocol = classic
"""
    command = "mysqlrouter --user=root --config={self.inside}/server.conf"

    def __str__(self) -> str:
        return f"{self.name} before {self.behind}"


class SharingMySQLRouter(MySQLRouter):
    """Share the server's sessions between clients.

    Its settings are those that MySQL Router writes for InnoDB Cluster, but
    for the delay: each statement may find another session of the server.
    """

    name = "sharing MySQL Router"
    configuration = f"""\
{MySQLRouter.configuration}
connection_sharing = 1
connection_sharing_delay = 0
client_ssl_mode = PREFERRED
client_ssl_cert = {{self.behind.inside}}/data/server-cert.pem
client_ssl_key = {{self.behind.inside}}/data/server-key.pem
server_ssl_mode = PREFERRED
"""
