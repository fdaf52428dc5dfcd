"""The exit codes. They are stable, since scripts and CI depend on them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowspec.backend.aws.verdict import Outcome


class Exit(IntEnum):
    """The exit codes of `flowspec`."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CHANGES = 3
    STEP_FAILED = 4
    CLUSTER_FAILED = 5
    TIMED_OUT = 6
    CANCELLED = 7
    LOCKED = 8
    STALE_PLAN = 9
    INTERRUPTED = 130

    # Python 3.10 shows `Exit.OK`, later versions 0.
    __str__ = int.__repr__


def exit_of(outcome: Outcome) -> Exit:
    """Returns the exit code of a run's outcome."""
    return Exit(outcome.exit_code)


_FROM_BEST_TO_WORST = (
    Exit.OK,
    Exit.CHANGES,
    Exit.TIMED_OUT,
    Exit.CANCELLED,
    Exit.LOCKED,
    Exit.STALE_PLAN,
    Exit.USAGE,
    Exit.ERROR,
    Exit.STEP_FAILED,
    Exit.CLUSTER_FAILED,
    Exit.INTERRUPTED,
)


def worst(codes: Iterable[int]) -> Exit:
    """Returns the exit code of a command on many flows: that of the worst flow.

    From best to worst: 0 ok, 3 changes, 6 still running, 7 cancelled, 8 locked, 9 stale, 2 invalid, 1 error, 4 step
    failed, 5 cluster failed, 130 interrupted. So a flow that was not begun hides none that failed in its run, and one
    with changes hides none of which nothing is known.
    """
    return max(map(Exit, codes), key=_FROM_BEST_TO_WORST.index, default=Exit.OK)
