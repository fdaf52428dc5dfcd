"""Makes the findings of checks that got no answer."""

from __future__ import annotations

from flowspec.backend.aws.call_errors import is_denied, missing_operation
from flowspec.backend.preflight_data import NotChecked
from flowspec.errors import FlowspecError, ServiceError
from flowspec.plan.findings import Finding, Level


def unchecked(subject: str, error: FlowspecError) -> Finding:
    """Returns the finding of a check whose call failed."""
    why = not_checked(error)
    return Finding(Level.UNCHECKED, subject, str(why), unserved=why.unserved)


def not_checked(error: FlowspecError) -> NotChecked:
    """Returns why a check was not made: "access denied (GetRole)", or the code of another refusal."""
    if missing := missing_operation(error):
        return NotChecked(f"the endpoint does not serve {missing}", unserved=True)
    if not isinstance(error, ServiceError):
        return NotChecked(error.message)
    what = "access denied" if is_denied(error) else error.code
    return NotChecked(f"{what} ({error.operation})")
