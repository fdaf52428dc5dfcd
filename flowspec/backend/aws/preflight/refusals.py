"""Words the reason why a check could not be made."""

from __future__ import annotations

from flowspec.backend.aws.call_errors import is_denied
from flowspec.errors import FlowspecError, ServiceError


def reason(error: FlowspecError) -> str:
    """Returns "access denied (GetRole)", the code of another refusal, or why there was no answer."""
    if not isinstance(error, ServiceError):
        return error.message
    what = "access denied" if is_denied(error) else error.code
    return f"{what} ({error.operation})"
