# SPDX-License-Identifier: Apache-2.0
"""Extended server status for OpenStack Compute API responses."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nova_ext_sts.middleware import ExtendedStatus

    filter_factory = ExtendedStatus.factory

__version__ = "1.0.0"

__all__ = ["ExtendedStatus", "filter_factory"]


def __getattr__(name: str) -> Any:
    """Import the filter when it is used; the commands start without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nova_ext_sts.middleware import ExtendedStatus

    # For paste.deploy: ``filter_factory(global_conf, **local_conf)(app)``.
    is_class = name == "ExtendedStatus"
    return ExtendedStatus if is_class else ExtendedStatus.factory
