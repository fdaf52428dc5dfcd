"""Sends a call that creates something, so that it takes effect exactly once.

RunJobFlow, AddJobFlowSteps, AddInstanceGroups and AddInstanceFleet have no client token. Each is sent once; when its
answer is lost or cut short, what it creates is looked for before it is sent again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flowspec.backend.aws.call_errors import OutcomeUnknown, is_throttled
from flowspec.backend.aws.client import Emr
from flowspec.errors import FlowspecError, ServiceError

_Made = TypeVar("_Made")

# Seconds between two searches: the List operations of EMR are eventually consistent.
_LOOK_AGAIN_AFTER = (1.0, 2.0, 4.0, 8.0, 15.0)
# Throttled sends: the waits double from 1 s to 60 s, some three minutes in all.
_SENDS = 8


def submit_once(
    emr: Emr,
    operation: str,
    params: Mapping[str, Any],
    *,
    read: Callable[[Mapping[str, Any]], _Made],
    find: Callable[[], _Made | None],
    not_found: str,
    remedy: str,
    sleep: Callable[[float], None],
) -> _Made:
    """Sends `operation` until what it creates is known to exist; returns it.

    `read` takes it from the answer; `find` searches for it (None: not found). Raises ServiceError when the service
    refuses the call, and FlowspecError when it is not known whether the call took effect. Its message is `not_found` if
    the last search found nothing, or the reason why the last search failed; `remedy` says how to find what may exist.
    """
    for attempt in range(_SENDS):
        last = attempt == _SENDS - 1
        try:
            return read(emr.create(operation, **params))
        except ServiceError as error:
            if last or not is_throttled(error):
                raise
            sleep(min(60.0, 2.0**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        except OutcomeUnknown as error:
            found = _look_for(find, error, remedy, sleep)
            if found is not None:
                return found
            if last:
                raise FlowspecError(f"{error.message}; {not_found}", remedy=remedy) from error
    raise AssertionError("the last attempt returns or raises")


def _look_for(
    find: Callable[[], _Made | None], lost: OutcomeUnknown, remedy: str, sleep: Callable[[float], None]
) -> _Made | None:
    """Searches several times. Raises FlowspecError when the last search failed: then nothing may be sent again."""
    failure: FlowspecError | None = None
    for seconds in _LOOK_AGAIN_AFTER:
        try:
            found = find()
            if found is not None:
                return found
            failure = None
        except FlowspecError as error:
            failure = error
        sleep(seconds)
    if failure:
        message = f"{lost.message}; it may have taken effect, and looking for it failed: {failure.message}"
        raise FlowspecError(message, remedy=remedy) from failure
    return None
