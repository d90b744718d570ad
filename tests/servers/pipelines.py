"""Pipelines of the demo's API with the filters that stand around Nova's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paste import deploy

from tests.servers.serving import PASTE_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

#: In the order in which Nova ships them.
FILTERS = (
    "cors",
    "http_proxy_to_wsgi",
    "request_id",
    "sizelimit",
    "osprofiler",
    "authtoken",
)
EXTENDED = "extended_status_demo"
APPLICATION = "demo_api"

ORIGIN = "https://dashboard.test"
PROFILER_KEY = "key"

SECTIONS = f"""\
[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
allowed_origin = {ORIGIN}

[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory
enable_proxy_headers_parsing = true

[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory

[filter:sizelimit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory

[filter:osprofiler]
paste.filter_factory = osprofiler.web:WsgiMiddleware.factory
hmac_keys = {PROFILER_KEY}
enabled = true

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = none
www_authenticate_uri = http://identity.test
service_token_roles_required = true

[filter:gzip]
use = egg:Paste#gzip

[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory
backends = disable_by_file
disable_by_file_path = /nonexistent
"""


def loaded(
    directory: Path, *stages: str, sections: str = ""
) -> WSGIApplication:
    """Return a pipeline of these stages, the application last.

    Those of the file that ships keep their names.

    :param directory: for the file and the demo's servers
    :param sections: more of the paste file
    """
    return application(
        directory,
        f"[pipeline:main]\npipeline = {' '.join(stages)}\n{sections}",
    )


def application(directory: Path, sections: str) -> WSGIApplication:
    """Return the application ``main`` of a paste file."""
    file = directory / "api-paste.ini"
    file.write_text("\n".join((PASTE_FILE.read_text(), SECTIONS, sections)))
    loaded: WSGIApplication = deploy.loadapp(
        f"config:{file}",
        name="main",
        global_conf={"demo_connection": f"sqlite:///{directory}/demo.sqlite"},
    )
    return loaded
