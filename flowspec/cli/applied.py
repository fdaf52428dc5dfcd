"""Follows the run of a plan that was applied: with further launches, hooks, and a warning about its budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flowspec.backend.aws.runs.relaunch import Launches
from flowspec.backend.aws.watch import Watch, watch
from flowspec.cli.follow import follow
from flowspec.cli.locate import Chosen
from flowspec.cli.output import eprint

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.runs.hooks import Hooks
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.cli.run_options import Following
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.changes import Plan


def follow_applied(
    applied: Applied,
    plan: Plan,
    emr: Emr,
    *,
    following: Following,
    hooks: Hooks | None,
    watch: Watch,
    format_: str = "text",
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Follows the run of a plan to its end, and prints how it ended; returns the exit code."""
    return follow(
        Chosen(emr, applied.cluster_id, plan.secrets, steps=applied.steps, failed=applied.failed),
        timeout=following.timeout,
        on_interrupt=following.on_interrupt,
        format_=format_,
        sleep=sleep,
        watch=watch,
        launches=Launches(plan, emr, partial(eprint, secrets=plan.secrets), sleep),
        hooks=hooks,
    )


def watch_with_budget(plan: Plan, flow: JobFlow, emr: Emr, watch: Watch = watch) -> Watch:
    """Returns `watch` with a warning when the budget of the flow's run is used up."""
    if plan.cost is None:
        return watch
    # Imported here: the prices take 4 ms, and nothing costs on this machine.
    from flowspec.cli.overrun import cost_by_request, with_budget_warning

    return with_budget_warning(watch, flow, cost_by_request(flow, plan.request, plan.fallback, emr.region))
