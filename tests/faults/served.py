"""An API behind the filter, for a server to load before it forks."""

from __future__ import annotations

import os

from nova_ext_sts import filter_factory
from tests.support.applications import answering
from tests.support.lookups import LIST

application = filter_factory({}, connection=os.environ["INSTANCES"])(
    answering(LIST)
)
