# SPDX-License-Identifier: Apache-2.0
"""Extended server status for OpenStack Compute API responses."""

from nova_ext_sts.middleware import ExtendedStatus

__all__ = ["ExtendedStatus", "filter_factory"]

#: paste.deploy's factory: ``filter_factory(global_conf, **local_conf)(app)``.
filter_factory = ExtendedStatus.factory
