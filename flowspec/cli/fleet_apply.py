"""`flowspec apply` of many specs, with `--prune` also for clusters whose specs were removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flowspec.backend.aws.verdict import Outcome
from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit, exit_of
from flowspec.cli.fleet import error_row, new_row, plan_specs, print_rows, rows_not_begun, work_on_flows
from flowspec.cli.output import Level, eprint, eprint_report, label_lines
from flowspec.cli.planning import Planned, add_preflight, eprint_plan
from flowspec.cli.pruning import find_orphans, specs_and_folders, terminate_orphan
from flowspec.cli.selection import Fleet
from flowspec.plan.findings import Level as FindingLevel

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.shared import SharedWatch
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.cli.run_options import Following, Planning
    from flowspec.fleet import Connections, FlowPlan, Sleep
    from flowspec.plan.changes import Plan
    from flowspec.report.fleets import Row

# Seconds after which a plan is made again: all flows are planned together, but the last ones start much later.
_PLAN_MAX_AGE = 60.0
_OUTCOMES = {exit_of(one): one.value for one in Outcome} | {Exit.INTERRUPTED: "interrupted"}


def apply_specs(
    paths: Sequence[Path],
    fleet: Fleet,
    planning: Planning,
    following: Following,
    *,
    prune: bool,
    yes: bool,
    format_: str,
) -> Exit:
    """Applies many specs and follows their runs; with `prune`, terminates clusters whose specs were removed."""
    from flowspec.backend.aws.shared import SharedWatch

    specs, folders = specs_and_folders(paths, fleet.selects, planning.rendering, prune=prune)
    planned = plan_specs(specs, planning, jobs=fleet.jobs, run_bootstrap=following.run_bootstrap)
    orphans = find_orphans(folders, planned, planning)
    if orphans:
        what = "1 cluster whose spec is" if len(orphans) == 1 else f"{len(orphans)} clusters whose specs are"
        confirm(f"End {what} gone?", yes=yes, unasked=False)
    with SharedWatch() as watching:
        work = partial(
            _apply_and_follow,
            following=following,
            began=time.monotonic(),
            watching=watching,
            connections=planned.connections,
            told={},
        )
        rows, interrupted = work_on_flows(partial(_apply_as_row, work=work), planned.plans, fleet.jobs)
    rows += rows_not_begun(planned.plans, rows)
    if not interrupted and all(row.exit != Exit.INTERRUPTED for row in rows):
        rows += work_on_flows(terminate_orphan, orphans, fleet.jobs)[0]
    known = {row.cluster for row in rows}
    rows += [one.row("not pruned: interrupted", Exit.INTERRUPTED) for one in orphans if one.cluster.id not in known]
    rows = sorted([*planned.failed, *rows], key=lambda row: row.spec)
    return print_rows(rows, format_, "flowspec apply")


def _apply_as_row(one: FlowPlan, sleep: Sleep, work: Callable[[FlowPlan, Sleep], Row]) -> Row:
    with label_lines(one.jobflow.name):
        try:
            return error_row(one, one.error) if one.error else work(one, sleep)
        except KeyboardInterrupt:
            return new_row(one, "interrupted", Exit.INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - after any error, the other flows continue
            return error_row(one, error)


def _apply_and_follow(
    one: FlowPlan,
    sleep: Sleep,
    *,
    following: Following,
    began: float,
    watching: SharedWatch,
    connections: Connections,
    told: dict[tuple[str, str], str],
) -> Row:
    from flowspec.cli.applied import apply_and_follow
    from flowspec.report.fleets import result_of

    assert one.plan is not None
    assert one.emr is not None
    assert one.again is not None
    assert one.preflight is not None
    plan = one.plan if time.monotonic() - began < _PLAN_MAX_AGE else one.again()
    reads = connections.of(one.emr.endpoint).shared
    planned = Planned(plan, one.emr, one.again, one.preflight, one.jobflow, reads)
    planned = add_preflight(planned, skip=following.skip_preflight)
    plan = planned.plan
    # Changes of a running cluster are shown in full; for a new cluster, the numbers are enough.
    shown = _without_told(plan, told)
    if one.running and plan.has_changes:
        eprint_plan(shown)
    else:
        eprint(result_of(plan))
        _print_preflight(shown, one.emr)
    if any(one.level is FindingLevel.UNCHECKED for one in shown.preflight or ()):
        eprint("what could not be checked here is not repeated for other flows")
    describe = partial(_describe_outcome, plan)
    applied, code = apply_and_follow(planned, following, describe, watch=watching.watch_for(plan), sleep=sleep)
    done = f"{describe(applied)} {applied.cluster_id}"
    if code is None:
        return new_row(one, done, cluster=applied.cluster_id)
    return new_row(one, f"{done}: {_OUTCOMES[Exit(code)]}", code, applied.cluster_id)


def _describe_outcome(plan: Plan, applied: Applied) -> str:
    """Returns one or more words for what was done with the cluster; its id follows them."""
    if plan.skipped:
        return "skipped, done by"
    return ("changed" if plan.has_changes else "joined") if applied.joined else "started"


def _without_told(plan: Plan, told: dict[tuple[str, str], str]) -> Plan:
    """Returns the plan without the unchecked findings that an earlier flow has shown; adds its own to `told`.

    One missing permission of the account is the reason for all flows.
    """
    new = tuple(
        one
        for one in plan.preflight or ()
        if one.level is not FindingLevel.UNCHECKED
        or told.setdefault((one.subject, one.message), plan.source) == plan.source
    )
    return replace(plan, preflight=new if any(one.level is not FindingLevel.OK for one in new) else None)


def _print_preflight(plan: Plan, emr: Emr) -> None:
    """Prints the first findings of a preflight, and the command that shows all of them."""
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.report.preflight import first_preflight_lines

    if plan.preflight:
        lines = first_preflight_lines(plan.preflight, command_line("plan", emr, *plan.named_by, "--preflight"))
        eprint_report("\n".join(lines), level=Level.WARNING, secrets=plan.secrets)
