"""The options of `flowspec plan` and `flowspec apply`: those that shape a plan, and those about the run."""

from __future__ import annotations

from typing import NamedTuple

from flowspec.cli.options import CONNECTION, CONVERGING, SELECTING, STAGING, VARIABLES, OnInterrupt, compose_options
from flowspec.cli.policies import POLICY
from flowspec.cli.selection import FLEET, PATHS

PLANNING = compose_options(PATHS, VARIABLES, CONNECTION, STAGING, CONVERGING, SELECTING, POLICY, FLEET)


class Following(NamedTuple):
    """The options of `flowspec apply` that are about the run, not the plan."""

    detach: bool
    timeout: float | None
    on_interrupt: OnInterrupt
    lock_timeout: float
    skip_preflight: bool
    allow_commands: bool
