"""The demo's API, for gunicorn, with the filter or without it."""

from __future__ import annotations

import os

from nova_ext_sts import filter_factory
from nova_ext_sts.demo import api

connection = os.environ["INSTANCES"]
bare = api.app_factory({}, connection=connection)
extended = filter_factory({}, connection=connection)(bare)
