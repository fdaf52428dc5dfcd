"""All checks of a plan against the account that it would run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.preflight.network import network_findings
from flowspec.backend.aws.preflight.refusals import unchecked
from flowspec.backend.aws.preflight.roles import role_findings
from flowspec.backend.aws.preflight.storage import storage_findings
from flowspec.backend.threads import Threads
from flowspec.errors import FlowspecError
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding

_Checks = Callable[[Emr, Plan], "list[Finding]"]


def account_findings(emr: Emr, plan: Plan) -> tuple[Finding, ...]:
    """Asks S3, IAM and EC2 in parallel; for a plan that starts no cluster, only the data of its steps is checked."""
    checks: dict[str, _Checks] = {"S3": storage_findings}
    if not plan.converges:
        checks |= {"IAM": role_findings, "EC2": network_findings}

    def run(service: str) -> list[Finding]:
        try:
            return checks[service](emr, plan)
        except FlowspecError as error:
            return [unchecked(service, error)]

    with Threads() as pool:
        return tuple(_name_missing_services(dict(zip(checks, pool.map(run, checks), strict=True))))


def _name_missing_services(found: Mapping[str, Sequence[Finding]]) -> Iterator[Finding]:
    """Yields the findings; those of services that the endpoint lacks get one common reason, which is shown once."""
    missing = [name for name, findings in found.items() if findings and all(one.unserved for one in findings)]
    why = f"the endpoint has no {', no '.join(missing)}"
    for name, findings in found.items():
        yield from (one._replace(message=why) if name in missing else one for one in findings)
