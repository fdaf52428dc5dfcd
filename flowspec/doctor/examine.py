"""All checks: of this machine, and of AWS where there are credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowspec.doctor.account import account_checks, credentials_check
from flowspec.doctor.check import Check, run_checks
from flowspec.doctor.machine import machine_checks
from flowspec.doctor.needs import Needs

if TYPE_CHECKING:
    from flowspec.backend.aws.account import Account
    from flowspec.backend.aws.client import Endpoint

SECONDS = 15.0
"""The time limit of the checks of this machine and the search for credentials, and again of the checks of AWS."""

# Seconds that AWS may take for a connection, and for an answer.
_TIMEOUT = 5.0


def examine(endpoint: Endpoint, needs: Needs) -> list[Check]:
    """Makes all checks; `endpoint` is the EMR of the spec's target. Nothing is changed, no secret is returned."""
    found: list[Account] = []
    aws = needs.on_aws is not False
    machine = [*machine_checks(needs)]
    if aws:
        machine.append(credentials_check(endpoint, needed=bool(needs.on_aws), timeout=_TIMEOUT, keep=found.append))
    checks = run_checks(machine, SECONDS)
    if aws:
        checks += run_checks(account_checks(endpoint, found[0] if found else None, needs), SECONDS)
    return checks
