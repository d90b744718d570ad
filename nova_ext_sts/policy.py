# SPDX-License-Identifier: Apache-2.0
"""The policy: its rule, the caller's credentials, and the check."""

from __future__ import annotations

import os
import threading
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import log as logging
from oslo_policy import opts, policy

from nova_ext_sts import extension
from nova_ext_sts.printable import printable

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from _typeshed.wsgi import WSGIEnvironment

LOG = logging.getLogger(__name__)

#: Nova had a rule of this name until 19.0.0.
RULE = "os_compute_api:os-extended-status"
#: Looking for changed policy files takes longer than a check does.
RELOAD_INTERVAL = 1.0

_RULE_DEFAULT = policy.DocumentedRuleDefault(
    name=RULE,
    check_str="@",
    description=(
        f"Get {', '.join(extension.ATTRIBUTES)} in server responses. The "
        "target is the caller's own project and user. Denied callers get the "
        "application's response unchanged."
    ),
    operations=[
        {"method": "GET", "path": "/servers"},
        {"method": "GET", "path": "/servers/detail"},
        {"method": "GET", "path": "/servers/{server_id}"},
    ],
)
#: What policy files name most often, for where Nova is not installed.
_BASE_RULES = (
    policy.RuleDefault("context_is_admin", "role:admin"),
    policy.RuleDefault("admin_api", "is_admin:True"),
    policy.RuleDefault(
        "admin_or_owner", "is_admin:True or project_id:%(project_id)s"
    ),
)


class Policy:
    """Decides which callers get states; all threads share it.

    ``Enforcer.enforce`` looks for changed files on every call, and changes
    its rules while other threads check them. So one enforcer loads the rules,
    at most once a second, and another one, replaced as a whole, checks them.

    :param conf: the configuration whose ``[oslo_policy]`` names the files
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._loading = threading.Lock()
        self._loader: policy.Enforcer | None = None
        #: None denies. Without configuration files the default stays.
        self._enforcer = _checker(conf, {RULE: _RULE_DEFAULT.check})
        self._failed = False
        self._load()

    def permits(self, environ: WSGIEnvironment) -> bool:
        """Return True if the caller of a request may see states."""
        # While one thread loads the rules, the others use those they have.
        if (
            time.monotonic() - self._loaded_at >= RELOAD_INTERVAL
            and self._loading.acquire(blocking=False)
        ):
            try:
                self._load()
            finally:
                self._loading.release()
        enforcer = self._enforcer
        if enforcer is None:
            return False
        if str(enforcer.rules[RULE]) == "@":
            # The default is the hot path: it needs no credentials.
            return True
        try:
            permitted = _is_permitted(enforcer, environ)
        except Exception as error:
            # The text of an http: check's error may hold a password.
            self._log_failure("check", type(error).__name__)
            return False
        self._failed = False
        return permitted

    def _load(self) -> None:
        self._loaded_at = time.monotonic()
        loader = self._loader
        try:
            if loader is None or (
                # It would ignore a file that returns with its former mtime.
                loader.policy_path and not os.path.exists(loader.policy_path)
            ):
                loader = self._loader = new_enforcer(self._conf)
            loader.load_rules()
        except cfg.NotInitializedError:
            return
        except Exception as error:
            # A loader raises for a bad file only once and then keeps its
            # former rules; a new one raises until the file is repaired.
            self._loader = self._enforcer = None
            self._log_failure("load", " ".join(str(error).split()))
            return
        if self._enforcer is None:
            self._failed = False
        if self._enforcer is None or self._enforcer.rules != loader.rules:
            self._enforcer = _checker(self._conf, loader.rules)

    def _log_failure(self, step: str, reason: str) -> None:
        if not self._failed:
            LOG.warning(
                "Cannot %s the policy, which denies states: %s",
                step,
                printable(reason),
            )
        self._failed = True


def _checker(
    conf: cfg.ConfigOpts, rules: MutableMapping[str, Any]
) -> policy.Enforcer | None:
    # The name of a file keeps oslo.policy before 4.5.0 from looking for one.
    return policy.Enforcer(conf, "unused", rules=rules, use_conf=False)


def _is_permitted(enforcer: policy.Enforcer, environ: WSGIEnvironment) -> bool:
    credentials = _credentials(environ)
    target = {
        name: credentials[name]
        for name in ("project_id", "user_id")
        # To oslo.policy an unknown project would equal another one.
        if credentials.get(name) is not None
    }
    if "is_admin" not in credentials:
        # Nova's contexts have it.
        credentials["is_admin"] = enforcer.enforce(
            "context_is_admin", target, credentials
        )
    return bool(enforcer.enforce(RULE, target, credentials))


def _credentials(environ: WSGIEnvironment) -> MutableMapping[str, Any]:
    context = environ.get("nova.context")
    if context is None:
        # A client can send identity headers, too, but cannot put auth_token's
        # plug-in into the environ.
        if (
            "keystone.token_auth" not in environ
            or environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed"
        ):
            return {}
        # Do not replace the context that this thread logs with.
        context = RequestContext.from_environ(environ, overwrite=False)
    credentials: MutableMapping[str, Any] = context.to_policy_values()
    return credentials


def list_rules() -> list[policy.RuleDefault]:
    """Return the rule's default for oslo.policy's generators."""
    return [_RULE_DEFAULT]


def new_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return an enforcer that knows Nova's rules and has read no file yet.

    :param conf: the configuration whose ``[oslo_policy]`` names the files
    """
    # Before 4.5.0 oslo.policy's own default is policy.json.
    opts.set_defaults(conf, policy_file="policy.yaml")
    enforcer = policy.Enforcer(conf)
    # Nova warns of what is deprecated in its rules.
    enforcer.suppress_default_change_warnings = True
    enforcer.suppress_deprecation_warnings = True
    defaults = {default.name: default for default in _BASE_RULES}
    for nova in metadata.entry_points(
        group="oslo.policy.policies", name="nova"
    ):
        defaults |= {default.name: default for default in nova.load()()}
    enforcer.register_defaults([*(defaults | {RULE: _RULE_DEFAULT}).values()])
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """Return the enforcer for oslo.policy's command-line tools.

    It uses the configuration files given to the tool, or else Nova's.
    """
    if not cfg.CONF.config_file and not cfg.CONF.config_dir:
        cfg.CONF([], project="nova")
    return new_enforcer(cfg.CONF)
