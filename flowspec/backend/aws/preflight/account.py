"""All checks of a plan against the account that it would run in."""

from __future__ import annotations

from collections.abc import Callable

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.preflight.network import network_findings
from flowspec.backend.aws.preflight.refusals import reason
from flowspec.backend.aws.preflight.roles import role_findings
from flowspec.backend.aws.preflight.storage import storage_findings
from flowspec.backend.threads import Threads
from flowspec.errors import FlowspecError
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding, Level

_Checks = Callable[[Emr, Plan], "list[Finding]"]


def account_findings(emr: Emr, plan: Plan) -> tuple[Finding, ...]:
    """Asks S3, IAM and EC2 side by side; of a plan that starts no cluster only its steps' data is looked up."""
    checks: dict[str, _Checks] = {"S3": storage_findings}
    if not plan.converges:
        checks |= {"IAM": role_findings, "EC2": network_findings}

    def run(service: str) -> list[Finding]:
        try:
            return checks[service](emr, plan)
        except FlowspecError as error:
            return [Finding(Level.UNCHECKED, service, reason(error))]

    with Threads() as pool:
        return tuple(one for found in pool.map(run, checks) for one in found)
