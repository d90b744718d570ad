"""Libraries that are older than what the package requires."""

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts import filter_factory
from nova_ext_sts.settings import ConfigurationError
from tests.support.applications import answering
from tests.support.checks import upgrade_check
from tests.support.distributions import installed


@pytest.fixture
def old_library(tmp_path, monkeypatch):
    """Install SQLAlchemy 1, as far as metadata can tell."""
    installed("SQLAlchemy", tmp_path, monkeypatch)


@pytest.mark.usefixtures("old_library")
def test_filter_is_not_loaded():
    with pytest.raises(ConfigurationError, match=r"SQLAlchemy 1 .*>=1\.4\.51"):
        filter_factory({}, connection="sqlite://")(answering(b""))


@pytest.mark.usefixtures("old_library")
def test_upgrade_check_fails(tmp_path):
    checks = upgrade_check(tmp_path, connection="sqlite://")
    assert checks["Configuration"].result == Code.FAILURE
    assert "SQLAlchemy 1 " in checks["Configuration"].details
    assert ">=1.4.51" in checks["Configuration"].details
