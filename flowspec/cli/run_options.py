"""The options of commands that compile a spec, plan or apply it, and the records of their values."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

from flowspec.cli.options import (
    ALLOW_COMMANDS,
    CONNECTION,
    DETACH,
    LOCK_TIMEOUT,
    STAGING,
    VARIABLES,
    WATCHING,
    OnInterrupt,
    complete_with,
    gather,
    step_option,
)
from flowspec.cli.policies import POLICY
from flowspec.cli.specs import Connection, Rendering


class Converging(NamedTuple):
    """The options that say how a plan handles the flow's cluster, or its last run."""

    replace: bool = False
    if_changed: bool = False
    rerun: tuple[str, ...] = ()
    cancel_removed: bool = False


CONVERGING = gather(
    Converging,
    click.option(
        "--replace",
        is_flag=True,
        help="Terminate a cluster that can't be changed into the wanted one, and start another; default: refuse.",
    ),
    click.option(
        "--if-changed",
        is_flag=True,
        help="Run nothing if the last run had the same request and succeeded; no effect if the cluster keeps running. "
        "Default: run.",
    ),
    click.option(
        "--rerun",
        multiple=True,
        metavar="failed|NAME",
        shell_complete=complete_with("rerun_choices"),
        help="Run the step NAME again, or all failed steps; if the cluster ends after its steps: all unfinished steps.",
    ),
    click.option(
        "--cancel-removed",
        is_flag=True,
        help="Cancel pending and running steps that are no longer in the spec; default: leave them.",
    ),
)


class Selecting(NamedTuple):
    """The options that choose steps: those from `first` on, and of these only steps with a name in `only`."""

    first: str | None = None
    only: tuple[str, ...] = ()


SELECTING = gather(
    Selecting,
    step_option("--from", "first", help="Run the steps from this one on; earlier outputs must be there."),
    step_option("--only", multiple=True, help="Run only the steps of this name; may be repeated."),
)


class Planning(NamedTuple):
    """The options that determine the request and the plan of a spec."""

    rendering: Rendering
    connection: Connection = Connection()
    staging: str | None = None
    converging: Converging = Converging()
    selecting: Selecting = Selecting()
    policy_files: tuple[Path, ...] = ()


PLANNING = gather(Planning, VARIABLES, CONNECTION, STAGING, CONVERGING, SELECTING, POLICY)
# For commands that only compile a spec: the first with the options of the connection to EMR; the others make no call.
PLANNING_ON_EMR = gather(Planning, VARIABLES, CONNECTION, STAGING)
PLANNING_OFFLINE = gather(Planning, VARIABLES, STAGING)


class Following(NamedTuple):
    """The options of `flowspec apply` that are about the run, not the plan."""

    detach: bool
    timeout: float | None
    on_interrupt: OnInterrupt
    lock_timeout: float
    skip_preflight: bool
    run_bootstrap: bool
    allow_commands: bool


FOLLOWING = gather(
    Following,
    DETACH,
    ALLOW_COMMANDS,
    WATCHING,
    LOCK_TIMEOUT,
    click.option(
        "--skip-preflight",
        is_flag=True,
        help="Submit without checking that what the spec names exists; "
        "default: check, and refuse if something is missing.",
    ),
    click.option(
        "--run-bootstrap", is_flag=True, help="Run bootstrap actions, too, with `backend: local`; default: skip them."
    ),
)
