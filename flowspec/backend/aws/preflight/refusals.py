"""Why a question was not answered, in a few words."""

from __future__ import annotations

from flowspec.errors import FlowspecError, ServiceError

# A HEAD has no body, so that its refusal is a bare 403. EC2 says UnauthorizedOperation.
_DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"})


def reason(error: FlowspecError) -> str:
    """Returns "access denied (GetRole)", the code of another refusal, or why there was no answer."""
    if not isinstance(error, ServiceError):
        return error.message
    what = "access denied" if error.code in _DENIED else error.code
    return f"{what} ({error.operation})"
