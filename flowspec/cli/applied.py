"""Applies a plan and follows its run, with further launches, hooks, and a warning about its budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flowspec.cli.exits import Exit
from flowspec.cli.output import eprint, ewarn, print_json, print_result
from flowspec.cli.planning import Planned, note_renamed

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.backend.aws.watch import Watch
    from flowspec.cli.run_options import Following
    from flowspec.fleet import Sleep


def apply_and_follow(
    planned: Planned,
    following: Following,
    describe: Callable[[Applied], str],
    *,
    format_: str = "text",
    watch: Watch | None = None,
    sleep: Sleep = time.sleep,
) -> tuple[Applied, int | None]:
    """Applies a plan, follows its run to the end and prints the result; returns the exit code, None with --detach.

    `describe` returns a word for what was done with the cluster. Raises FlowspecError when the preflight found that
    something is missing.
    """
    from flowspec.backend.aws.submission.apply import apply
    from flowspec.pipeline import refuse_wrong

    plan = planned.plan
    refuse_wrong(plan)
    note_renamed(plan, planned.reads)
    notify, warn = partial(eprint, secrets=plan.secrets), partial(ewarn, secrets=plan.secrets)
    # Before anything runs: after a Ctrl-C during later imports, no message would say how to re-attach.
    follow_run = None if following.detach else _prepare_to_follow(planned, following, format_, watch, sleep)
    replan, lock_timeout = planned.again, following.lock_timeout
    applied = apply(plan, planned.emr, replan=replan, lock_timeout=lock_timeout, notify=notify, warn=warn, sleep=sleep)
    if not plan.skipped:
        eprint(f"{describe(applied)} cluster {applied.cluster_id}")
    return applied, follow_run(applied) if follow_run else None


def _prepare_to_follow(
    planned: Planned, following: Following, format_: str, watch: Watch | None, sleep: Sleep
) -> Callable[[Applied], int]:
    """Imports the modules that follow a run, and returns the function that follows the run of this plan."""
    from flowspec.backend.aws.runs.relaunch import Launches
    from flowspec.backend.aws.watch import watch as watch_alone
    from flowspec.cli.follow import follow, hooks_of, print_rerun_hint
    from flowspec.cli.locate import Chosen

    plan, emr, flow = planned.plan, planned.emr, planned.flow
    watch = watch or watch_alone
    if plan.cost is not None:
        # Imported only here: the prices take 4 ms, and a run on this machine costs nothing.
        from flowspec.cli.overrun import cost_by_request, with_budget_warning

        watch = with_budget_warning(watch, flow, cost_by_request(flow, plan.request, plan.fallback, emr.region))
    # A saved plan can't be made again with --rerun.
    on_end = partial(print_rerun_hint, plan) if planned.again else lambda _: None
    hooks = hooks_of(flow, emr, allow_commands=following.allow_commands, secrets=plan.secrets, sleep=sleep)

    def follow_run(applied: Applied) -> int:
        return follow(
            Chosen(emr, applied.cluster_id, plan.secrets, steps=applied.steps, failed=applied.failed),
            timeout=following.timeout,
            on_interrupt=following.on_interrupt,
            format_=format_,
            sleep=sleep,
            watch=watch,
            launches=Launches(plan, emr, partial(eprint, secrets=plan.secrets), sleep),
            hooks=hooks,
            on_end=on_end,
        )

    return follow_run


def print_detached(emr: Emr, applied: Applied, format_: str, skipped: str) -> int:
    """Prints the cluster's id, and how to re-attach to it; in JSON, also if it was joined, or why nothing was run."""
    from flowspec.backend.aws.command_lines import command_line

    if format_ == "json":
        print_json({"cluster": applied.cluster_id, "joined": applied.joined, "skipped": skipped})
    else:
        print_result(applied.cluster_id)
        if not skipped:
            eprint(f"detached; re-attach with: {command_line('wait', emr, applied.cluster_id)}")
    return Exit.OK
