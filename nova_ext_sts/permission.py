# SPDX-License-Identifier: Apache-2.0
"""Whether a caller may see states, by the policy as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_log import log as logging
from oslo_policy import opts

from nova_ext_sts import policyfiles
from nova_ext_sts.callers import caller_of
from nova_ext_sts.policies import RULE
from nova_ext_sts.printable import printable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from oslo_config import cfg
    from oslo_policy import policy

    from nova_ext_sts.callers import Caller

LOG = logging.getLogger(__name__)


class Permission:
    """Says who may see states; threads share it.

    oslo.policy would look for its files, and at each of them, for every
    request. Here that is a few stat() for a policy that allows everybody.

    :param conf: whose ``[oslo_policy]`` names the policy file
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        opts.set_defaults(conf)
        #: What was logged last: a fault is told once, not for each request.
        self._told = ""
        #: The rules as they were last seen. Replaced as a whole: who comes
        #: late with older ones sees that they are.
        self.policy = policyfiles.read(conf)
        self._tell(self.policy.fault)

    def permits(self, environ: WSGIEnvironment) -> bool:
        """Say whether the caller of a request may see states.

        Whoever an error in the policy concerns may not.
        """
        now = self.policy
        if not policyfiles.is_as_before(now):
            self.policy = now = policyfiles.read(self._conf, now)
            self._tell(now.fault)
        if now.is_open:
            return True
        if now.enforcer is None:
            return False
        try:
            return _allows(now.enforcer, caller_of(environ))
        except Exception as error:
            # What a rule, or a context that is somebody else's, may raise; it
            # may say anything.
            self._tell(
                f"The policy rule {RULE} cannot be checked, which denies: it "
                f"raised {type(error).__name__}."
            )
            return False

    def _tell(self, fault: str) -> None:
        if fault and fault != self._told:
            LOG.warning("%s", printable(fault))
        self._told = fault


def _allows(enforcer: policy.Enforcer, caller: Caller) -> bool:
    credentials = caller.credentials
    if "is_admin" not in credentials:
        # As Nova finds it out for a context of its own.
        credentials["is_admin"] = False
        credentials["is_admin"] = enforcer.enforce(
            "context_is_admin", caller.target, credentials
        )
    return bool(enforcer.enforce(RULE, caller.target, credentials))
