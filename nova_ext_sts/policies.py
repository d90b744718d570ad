# SPDX-License-Identifier: Apache-2.0
"""The policy rules, as oslo.policy's tools and the filter know them."""

from __future__ import annotations

from oslo_config import cfg
from oslo_policy import policy

from nova_ext_sts import extension

#: Who gets the states. Nova had a rule of this name until 19.0.0.
RULE = "os_compute_api:os-extended-status"

#: What else Nova grants while ``[oslo_policy] enforce_new_defaults`` is false.
_ADMIN = policy.DeprecatedRule(
    name="rule:admin_api",
    check_str="is_admin:True",
    deprecated_reason="Nova has defaults by role.",
    deprecated_since="Nova 21.0.0",
)
_OWNER = policy.DeprecatedRule(
    name="rule:admin_or_owner",
    check_str="is_admin:True or project_id:%(project_id)s",
    deprecated_reason="Nova has defaults by role.",
    deprecated_since="Nova 21.0.0",
)

#: Nova's own base rules since 24.0.0: name, check, what else is granted. They
#: stand here too, since to an enforcer of one's own Nova's are unknown, and a
#: rule that names an unknown one denies even the administrator.
_BASE_RULES = (
    ("context_is_admin", "role:admin", _ADMIN),
    ("admin_or_owner", _OWNER.check_str, None),
    ("admin_api", _ADMIN.check_str, None),
    (
        "project_manager_api",
        "role:manager and project_id:%(project_id)s",
        _ADMIN,
    ),
    (
        "project_member_api",
        "role:member and project_id:%(project_id)s",
        _OWNER,
    ),
    (
        "project_reader_api",
        "role:reader and project_id:%(project_id)s",
        _OWNER,
    ),
    ("service_api", "role:service", _ADMIN),
    (
        "project_manager_or_admin",
        "rule:project_manager_api or rule:context_is_admin",
        _ADMIN,
    ),
    (
        "project_member_or_admin",
        "rule:project_member_api or rule:context_is_admin",
        _OWNER,
    ),
    (
        "project_reader_or_admin",
        "rule:project_reader_api or rule:context_is_admin",
        _OWNER,
    ),
    ("service_or_admin", "rule:service_api or rule:context_is_admin", _ADMIN),
    # Gone since 25.0.0; a policy file may still name them.
    ("system_admin_api", "role:admin and system_scope:all", _ADMIN),
    ("system_reader_api", "role:reader and system_scope:all", _ADMIN),
    ("project_admin_api", "role:admin and project_id:%(project_id)s", _ADMIN),
    (
        "system_admin_or_owner",
        "rule:system_admin_api or rule:project_member_api",
        _OWNER,
    ),
    (
        "system_or_project_reader",
        "rule:system_reader_api or rule:project_reader_api",
        _OWNER,
    ),
)


def list_rules() -> list[policy.RuleDefault]:
    """Return every rule, as oslo.policy's generators ask for it."""
    return [
        policy.DocumentedRuleDefault(
            name=RULE,
            check_str="@",
            description=(
                f"Who gets {', '.join(extension.ATTRIBUTES)} in responses "
                "from the filter. The target is the caller's own project and "
                "user. A caller who is denied gets what the application "
                "wrote, and no error."
            ),
            operations=[
                {"method": "GET", "path": "/servers"},
                {"method": "GET", "path": "/servers/detail"},
                {"method": "GET", "path": "/servers/{server_id}"},
            ],
        ),
        *(
            policy.RuleDefault(
                name,
                check,
                "A base rule as Nova has it, for other rules to name.",
                deprecated_rule=deprecated,
            )
            for name, check, deprecated in _BASE_RULES
        ),
    ]


def new_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return an enforcer that knows the rules, and has read no file yet.

    :param conf: whose ``[oslo_policy]`` names the policy file
    """
    enforcer = policy.Enforcer(conf)
    # Nova itself says what is deprecated in its policy.
    enforcer.suppress_default_change_warnings = True
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(list_rules())
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """Return the enforcer for oslo.policy's command-line tools.

    It reads the configuration files that the tool was given, or else Nova's.
    """
    if not cfg.CONF.config_file and not cfg.CONF.config_dir:
        cfg.CONF([], project="nova")
    return new_enforcer(cfg.CONF)
