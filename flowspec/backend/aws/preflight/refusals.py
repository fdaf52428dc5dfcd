"""Words the reason why a check could not be made."""

from __future__ import annotations

from flowspec.backend.aws.call_errors import is_denied, missing_operation
from flowspec.errors import FlowspecError, ServiceError

NOT_SERVED = "the endpoint does not serve "
"""The beginning of the reason where an endpoint does not know an operation; its name follows."""


def reason(error: FlowspecError) -> str:
    """Returns why a check was not made: "access denied (GetRole)", or the code of another refusal."""
    if missing := missing_operation(error):
        return f"{NOT_SERVED}{missing}"
    if not isinstance(error, ServiceError):
        return error.message
    what = "access denied" if is_denied(error) else error.code
    return f"{what} ({error.operation})"
