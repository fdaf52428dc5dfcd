"""`flowspec apply` of many specs, and the clusters that `--prune` ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from flowspec.backend.aws.verdict import Outcome
from flowspec.cli import print_error
from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit, exit_of
from flowspec.cli.fleet import error_row, message_of, new_row, plan_specs, print_rows, rows_not_begun, work_on_flows
from flowspec.cli.locate import bare_endpoint
from flowspec.cli.output import Level, eprint, eprint_report, ewarn, label_lines
from flowspec.cli.planning import Planned, add_preflight, eprint_plan
from flowspec.cli.selection import Fleet, selected_specs
from flowspec.document.discovery import specs_below
from flowspec.document.escaping import visible

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.backend.aws.shared import SharedWatch
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.cli.fleet import PlannedFleet
    from flowspec.cli.run_options import Following, Planning
    from flowspec.cli.specs import Connection
    from flowspec.fleet import Connections, FlowPlan, Sleep
    from flowspec.plan.changes import Plan
    from flowspec.plan.cluster import Cluster
    from flowspec.report.fleets import Row

# Seconds. All flows are planned at one moment, and the last ones begun when the first ones are over.
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
    """Applies many specs and follows their runs; with `prune` ends the clusters whose specs left the folders."""
    from flowspec.backend.aws.shared import SharedWatch

    folders = _require_folders(paths) if prune else []
    # With --prune a folder may have become empty: its last spec has left it.
    named = [path for path in paths if path not in folders or any(specs_below(path))]
    specs = selected_specs(named, fleet.selects, planning.rendering) if named else []
    planned = plan_specs(specs, planning, jobs=fleet.jobs, run_bootstrap=following.run_bootstrap)
    orphans = list(_find_orphans(folders, planned, planning)) if prune else []
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
        )
        rows, interrupted = work_on_flows(partial(_apply_as_row, work=work), planned.plans, fleet.jobs)
    rows += rows_not_begun(planned.plans, rows)
    if not interrupted and all(row.exit != Exit.INTERRUPTED for row in rows):
        rows += work_on_flows(_terminate_orphan, orphans, fleet.jobs)[0]
    rows = sorted([*planned.failed, *rows], key=lambda row: row.spec)
    return print_rows(rows, format_, "flowspec apply")


def _apply_as_row(one: FlowPlan, sleep: Sleep, work: Callable[[FlowPlan, Sleep], Row]) -> Row:
    with label_lines(one.jobflow.name):
        try:
            return error_row(one, one.error) if one.error else work(one, sleep)
        except KeyboardInterrupt:
            return new_row(one, "interrupted", Exit.INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other flows go on
            return error_row(one, error)


def _apply_and_follow(
    one: FlowPlan, sleep: Sleep, *, following: Following, began: float, watching: SharedWatch, connections: Connections
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
    # What is done to a cluster that people use is shown; of a new one the count will do.
    if one.running and plan.has_changes:
        eprint_plan(plan)
    else:
        eprint(result_of(plan))
        _print_preflight(plan)
    describe = partial(_describe_outcome, plan)
    applied, code = apply_and_follow(planned, following, describe, watch=watching.watch_for(plan), sleep=sleep)
    done = f"{describe(applied)} {applied.cluster_id}"
    if code is None:
        return new_row(one, done, cluster=applied.cluster_id)
    return new_row(one, f"{done}: {_OUTCOMES[Exit(code)]}", code, applied.cluster_id)


def _describe_outcome(plan: Plan, applied: Applied) -> str:
    """Returns what was done with the cluster, in a word or two before its id."""
    if plan.skipped:
        return "skipped, done by"
    return ("changed" if plan.has_changes else "joined") if applied.joined else "started"


def _print_preflight(plan: Plan) -> None:
    """Prints what a preflight found, as far as it fits among other flows, and the command that shows all of it."""
    from flowspec.report.preflight import first_preflight_lines

    if plan.preflight:
        lines = first_preflight_lines(plan.preflight, f"{plan.command_line('plan')} --preflight")
        eprint_report("\n".join(lines), level=Level.WARNING, secrets=plan.secrets)


class _Orphan(NamedTuple):
    emr: Emr
    cluster: Cluster


def _require_folders(paths: Sequence[Path]) -> list[Path]:
    found = [path for path in paths if path.is_dir()]
    if not found:
        raise click.UsageError("--prune needs a folder: it terminates the clusters whose specs were removed from there")
    return found


def _find_orphans(folders: Sequence[Path], planned: PlannedFleet, planning: Planning) -> Iterator[_Orphan]:
    """Finds the clusters to end, and prints a line for each, and for each that might be one and is left alone."""
    from flowspec.backend.aws.manage.orphans import find_orphans

    seen = set()
    for folder in folders:
        # All that are in the folder, not only those that are selected or valid.
        specs = list(specs_below(folder))
        for endpoint in _endpoints(planned, planning.connection):
            emr, shared, _ = planned.connections.of(endpoint)
            found = find_orphans(shared, folder, specs, target=planning.rendering.target)
            for one in found.unknown:
                ewarn(f"note: left alone, since its commit is not in this repository: {_describe_cluster(one)}")
            for one in found.clusters:
                if one.id not in seen:
                    seen.add(one.id)
                    eprint(f"its spec is gone: {_describe_cluster(one)}")
                    yield _Orphan(emr, one)


def _endpoints(planned: PlannedFleet, connection: Connection) -> list[Endpoint]:
    """Returns the EMRs of the flows; where there are none, the one that the options name."""
    found = [one.emr.endpoint for one in planned.plans if one.emr]
    return list(dict.fromkeys(found)) or [bare_endpoint(None, connection)]


def _describe_cluster(cluster: Cluster) -> str:
    from flowspec.plan.cluster import SOURCE_TAG
    from flowspec.plan.sensitive import without_secrets

    cluster = without_secrets(cluster)
    name, source = visible(cluster.name), visible(cluster.tags[SOURCE_TAG])
    return f"cluster {cluster.id} ({name}, {cluster.state}), started from {source}"


def _terminate_orphan(one: _Orphan, sleep: Sleep) -> Row:  # noqa: ARG001 - termination is not waited for
    from flowspec.backend.aws.manage.ending import destroy
    from flowspec.plan.cluster import FLOW_TAG, SOURCE_TAG, TARGET_TAG
    from flowspec.report.fleets import Row

    tags = one.cluster.tags
    who = (tags[SOURCE_TAG], tags[FLOW_TAG], tags.get(TARGET_TAG, ""))
    with label_lines(tags[FLOW_TAG]):
        try:
            destroy(one.emr, one.cluster)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other clusters are ended
            return Row(*who, f"not pruned: {message_of(error)}", print_error(error), one.cluster.id)
        eprint(f"cluster {one.cluster.id}: termination requested")
        return Row(*who, f"pruned {one.cluster.id}", Exit.OK, one.cluster.id)
