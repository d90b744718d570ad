"""Pipelines of the demo's API with the filters around it in Nova's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paste import deploy

from tests.servers.adapters import PASTE_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

#: In Nova's order.
FILTERS = (
    "cors",
    "http_proxy_to_wsgi",
    "request_id",
    "sizelimit",
    "osprofiler",
    "authtoken",
)
EXTENDED = "extended_status_demo"
API = "demo_api"

ORIGIN = "https://dashboard.test"

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
hmac_keys = key
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


def pipeline(*stages: str) -> str:
    """Return the section of the application ``main``: its stages in order."""
    return f"[pipeline:main]\npipeline = {' '.join(stages)}\n"


def urlmap(name: str, **paths: str) -> str:
    """Return a section that maps paths to applications."""
    lines = [f"/{path}: {app}" for path, app in paths.items()]
    return "\n".join(
        [f"[composite:{name}]", "use = egg:Paste#urlmap", *lines, ""]
    )


def loaded(directory: Path, *sections: str) -> WSGIApplication:
    """Return the application ``main`` of a paste file.

    :param directory: for the file and the demo's database
    :param sections: added to the file that ships and to ``SECTIONS``
    """
    file = directory / "api-paste.ini"
    file.write_text("\n".join((PASTE_FILE.read_text(), SECTIONS, *sections)))
    application: WSGIApplication = deploy.loadapp(
        f"config:{file}",
        name="main",
        global_conf={"demo_connection": f"sqlite:///{directory}/demo.sqlite"},
    )
    return application
