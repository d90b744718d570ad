"""Certificates for the servers of one test run."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: The only name that the server's certificate holds.
HOST = "127.0.0.1"
#: Another name of the same machine.
OTHER_HOST = "127.0.0.2"


class Certificates:
    """Two certificate authorities, and a server's certificate by the first.

    :param directory: for their files
    """

    def __init__(self, directory: Path) -> None:
        if not shutil.which("openssl"):
            pytest.skip("openssl is not installed")
        self.authority = directory / "authority.pem"
        self.other_authority = directory / "other-authority.pem"
        self.missing = directory / "missing.pem"
        self.certificate = directory / "server.pem"
        for file in (self.authority, self.other_authority):
            _make(file, f"/CN={file.stem}")
        _make(
            self.certificate,
            "/CN=database",
            *("-addext", f"subjectAltName=IP:{HOST}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-CA", self.authority, "-CAkey", _key(self.authority)),
        )
        self.key = _key(self.certificate)


def _key(certificate: Path) -> Path:
    return certificate.with_suffix(".key")


def _make(certificate: Path, subject: str, *options: str | Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-days", "2", "-subj", subject),
            *("-keyout", _key(certificate), "-out", certificate),
            *options,
        ],
        check=True,
        capture_output=True,
    )
