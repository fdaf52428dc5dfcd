"""Exit codes. They are stable: scripts and CI decide by them."""

from __future__ import annotations

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


def exit_of(outcome: Outcome) -> Exit:
    """The exit code of a run's outcome."""
    return Exit(outcome.exit_code)
