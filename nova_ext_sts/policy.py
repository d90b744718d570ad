# SPDX-License-Identifier: Apache-2.0
"""The policy rule, the caller's credentials, and the check."""

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

#: Nova's name of the rule, until 19.0.0.
RULE = "os_compute_api:os-extended-status"
#: How often policy files are read again if they have changed, in seconds.
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
#: The rules that policy files refer to most often, in case Nova is absent.
_BASE_RULES = (
    policy.RuleDefault("context_is_admin", "role:admin"),
    policy.RuleDefault("admin_api", "is_admin:True"),
    policy.RuleDefault(
        "admin_or_owner", "is_admin:True or project_id:%(project_id)s"
    ),
)


class Policy:
    """Decides which callers get states. Threads share the object.

    ``Enforcer.enforce`` looks for changed files on every call (170 µs), and
    changes its rules while other threads use them. Here one enforcer loads
    the rules, at most once a second, and another enforcer, which is replaced
    as a whole, checks them.

    :param conf: the configuration whose ``[oslo_policy]`` names the files
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._loader: policy.Enforcer | None = None
        #: None if the rules cannot be loaded: nobody gets states. Without
        #: configuration files the default stays.
        self._checker = _checker(conf, {RULE: _RULE_DEFAULT.check})
        self._is_failing = False
        self._load()

    def permits(self, environ: WSGIEnvironment) -> bool:
        """Return True if the caller of a request may see states."""
        # While one thread loads the rules, the others use the former ones.
        if (
            time.monotonic() - self._loaded_at >= RELOAD_INTERVAL
            and self._lock.acquire(blocking=False)
        ):
            try:
                self._load()
            finally:
                self._lock.release()
        checker = self._checker
        if checker is None:
            return False
        if str(checker.rules[RULE]) == "@":
            # The hot path: the default needs no credentials.
            return True
        try:
            permitted = _is_permitted(checker, environ)
        except Exception as error:
            # The text of an http: check's error may contain a password.
            self._log_failure(
                "The policy check failed, so that its caller gets no states",
                type(error).__name__,
            )
            return False
        self._is_failing = False
        return permitted

    def _load(self) -> None:
        self._loaded_at = time.monotonic()
        loader = self._loader
        try:
            if loader is None or (
                # For a removed file it would log an error on every load, and
                # ignore a file that returns with its old modification time.
                loader.policy_path and not os.path.exists(loader.policy_path)
            ):
                loader = self._loader = new_enforcer(self._conf)
            loader.load_rules()
        except cfg.NotInitializedError:
            return
        except Exception as error:
            # An enforcer raises only once for an invalid file, and uses its
            # former rules afterwards. A new one raises until it is repaired.
            self._loader = self._checker = None
            self._log_failure(
                "The policy cannot be loaded, so that nobody gets states",
                " ".join(str(error).split()),
            )
            return
        if self._checker is None:
            self._is_failing = False
        if self._checker is None or self._checker.rules != loader.rules:
            self._checker = _checker(self._conf, loader.rules)

    def _log_failure(self, message: str, reason: str) -> None:
        if not self._is_failing:
            LOG.warning("%s: %s", message, printable(reason))
        self._is_failing = True


def _checker(
    conf: cfg.ConfigOpts, rules: MutableMapping[str, Any]
) -> policy.Enforcer | None:
    # Given a file name, oslo.policy before 4.5.0 does not look for a file.
    return policy.Enforcer(conf, "unused", rules=rules, use_conf=False)


def _is_permitted(checker: policy.Enforcer, environ: WSGIEnvironment) -> bool:
    credentials = _credentials(environ)
    target = {
        name: credentials[name]
        for name in ("project_id", "user_id")
        # oslo.policy would treat two unknown projects as the same.
        if credentials.get(name) is not None
    }
    if "is_admin" not in credentials:
        # nova.context has it.
        credentials["is_admin"] = checker.enforce(
            "context_is_admin", target, credentials
        )
    return bool(checker.enforce(RULE, target, credentials))


def _credentials(environ: WSGIEnvironment) -> MutableMapping[str, Any]:
    context = environ.get("nova.context")
    if context is None:
        # Clients can send identity headers too, but only keystonemiddleware
        # sets keystone.token_auth.
        if (
            "keystone.token_auth" not in environ
            or environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed"
        ):
            return {}
        # overwrite=False keeps the context that this thread logs with.
        context = RequestContext.from_environ(environ, overwrite=False)
    credentials: MutableMapping[str, Any] = context.to_policy_values()
    return credentials


def list_rules() -> list[policy.RuleDefault]:
    """Return the default of the rule, for oslo.policy's generators."""
    return [_RULE_DEFAULT]


def new_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return an enforcer with Nova's rules that has not read a file yet.

    :param conf: the configuration whose ``[oslo_policy]`` names the files
    """
    # The default of oslo.policy before 4.5.0 is policy.json.
    opts.set_defaults(conf, policy_file="policy.yaml")
    enforcer = policy.Enforcer(conf)
    # Nova itself warns about its deprecated rules.
    enforcer.suppress_default_change_warnings = True
    enforcer.suppress_deprecation_warnings = True
    defaults = {default.name: default for default in _BASE_RULES}
    for nova in metadata.entry_points(
        group="oslo.policy.policies", name="nova"
    ):
        defaults |= {default.name: default for default in nova.load()()}
    defaults[RULE] = _RULE_DEFAULT
    enforcer.register_defaults([*defaults.values()])
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """Return the enforcer for oslo.policy's command-line tools.

    It uses the configuration files given to the tool, or else Nova's.
    """
    if not cfg.CONF.config_file and not cfg.CONF.config_dir:
        cfg.CONF([], project="nova")
    return new_enforcer(cfg.CONF)
