# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the documentation."""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
# The project's own extension.
sys.path.insert(0, str(ROOT / "doc" / "ext"))

project = "nova-ext-sts"
author = "nova-ext-sts maintainers"
version = release = importlib.metadata.version(project)

extensions = [
    "generated_tables",
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "oslo_policy.sphinxext",
]
# A record source that the documentation includes, and its tests.
exclude_patterns = ["contributor/redis_records"]
suppress_warnings = []
nitpicky = True
highlight_language = "text"


def has_history() -> bool:
    """Return whether this is a clone, and one with all of its commits."""
    if not (ROOT / ".git").exists():
        return False
    said = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return said.stdout.strip() == b"false"


if has_history():
    extensions.append("reno.sphinxext")
else:
    # reno reads in the history which release each note belongs to. What has
    # none, such as an export, is documented without that page.
    exclude_patterns.append("release-notes.rst")
    suppress_warnings.append("toc.excluded")
# The theme warns of a missing history, for the sake of links to bug reports,
# which these pages do not have.
logging.getLogger("sphinx.openstackdocstheme.ext").addFilter(
    lambda record: "gitsha" not in record.getMessage()
)

html_theme = "openstackdocs"
# With the files in _templates, pages load nothing from elsewhere.
templates_path = ["_templates"]
html_theme_options = {
    "analytics_tracking_code": "",
    "display_badge": False,
    "sidebar_search": True,
}
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
openstackdocs_auto_name = False
openstackdocs_auto_version = False


def name_unreleased(_app: Sphinx, doctree: nodes.document) -> None:
    """Give the notes that no tag has claimed the version as their title."""
    for title in doctree.findall(nodes.title):
        # What reno calls them before the first tag.
        if title.astext() == "0.0.0":
            title.children = [nodes.Text(release)]


def setup(app: Sphinx) -> None:
    # Before Sphinx collects the titles.
    app.connect("doctree-read", name_unreleased, priority=400)
