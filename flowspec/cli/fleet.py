"""Many specs on the command line: planned together, worked on at the same time, reported in one table.

A flow that fails does not stop the others. Each line that is printed about a flow begins with the flow's name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from flowspec.cli import print_error
from flowspec.cli.exits import Exit, worst
from flowspec.cli.output import label_lines, print_result, print_warnings, wants_color
from flowspec.cli.planning import compile_spec
from flowspec.cli.policies import read_policies
from flowspec.errors import Diagnostic, FlowspecError, number_of

if TYPE_CHECKING:
    from flowspec.cli.run_options import Planning
    from flowspec.document.job_flow import JobFlow
    from flowspec.fleet import Connections, FlowPlan, Sleep
    from flowspec.report.fleets import Row
    from flowspec.request.compile import Request

Item = TypeVar("Item")

_ERRORS = {
    Exit.USAGE: "invalid, see above",
    Exit.LOCKED: "locked by another apply",
    Exit.STALE_PLAN: "the plan is stale",
}


class PlannedFleet(NamedTuple):
    """The plans of those specs that are valid, and the rows of those that are not."""

    plans: list[FlowPlan]
    failed: list[Row]
    connections: Connections


def plan_specs(
    specs: Sequence[Path],
    planning: Planning,
    *,
    jobs: int,
    run_bootstrap: bool = False,
    offline: bool = False,
    warn: bool = True,
) -> PlannedFleet:
    """Compiles and plans specs; prints their errors and, with `warn`, their warnings.

    With `offline` no call is sent, and secrets that are not given have placeholders.
    """
    from flowspec.fleet import Connections, plan_all
    from flowspec.report.fleets import Row

    policies = read_policies(planning.policy_files)
    flows: list[tuple[JobFlow, Request]] = []
    failed: list[Row] = []
    warnings: list[Diagnostic] = []
    for spec in specs:
        try:
            flows.append(compile_spec(spec, planning, policies, placeholders=offline, warn=warnings.extend))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other specs are served
            code = print_error(error)
            failed.append(Row(str(spec), "", "", _ERRORS.get(code, message_of(error)), code))
    if warn:
        print_warnings(_merge_equal_warnings(warnings))
    connections = Connections()
    converging = planning.converging._asdict()
    plans = plan_all(
        flows, jobs=jobs, connections=connections, run_bootstrap=run_bootstrap, offline=offline, **converging
    )
    return PlannedFleet(plans, failed, connections)


def _merge_equal_warnings(warnings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Returns the warnings, of those that say the same only the first, with the places of the others in its notes."""
    groups: dict[tuple[str, str], list[Diagnostic]] = {}
    for one in warnings:
        groups.setdefault((one.id, one.message), []).append(one)
    return [replace(first, notes=(*first.notes, *_other_places(others))) for first, *others in groups.values()]


# Of hundreds of specs that say the same thing, more places would hide the other warnings.
_MOST_PLACES = 5


def _other_places(others: Sequence[Diagnostic]) -> Iterator[str]:
    places = [one.location.file_and_line for one in others if one.location]
    more = f" and {number_of(len(places) - _MOST_PLACES, 'more place')}" if len(places) > _MOST_PLACES else ""
    if places:
        yield f"also at {', '.join(places[:_MOST_PLACES])}{more}"


def rows_of(planned: PlannedFleet, row: Callable[[FlowPlan], Row]) -> list[Row]:
    """Returns the rows of all specs: `row` of each plan; the error of a flow without one is printed."""
    return sorted([*planned.failed, *map(partial(_row, row=row), planned.plans)], key=lambda one: one.spec)


def _row(one: FlowPlan, *, row: Callable[[FlowPlan], Row]) -> Row:
    if one.error:
        with label_lines(one.jobflow.name):
            return error_row(one, one.error)
    return row(one)


def error_row(one: FlowPlan, error: Exception) -> Row:
    """Prints the error of a flow and returns its row."""
    code = print_error(error)
    return new_row(one, _ERRORS.get(code, message_of(error)), code)


def new_row(one: FlowPlan, result: str, code: int = Exit.OK, cluster: str = "") -> Row:
    """Returns the row of a flow; its secrets are masked."""
    from flowspec.document.masking import mask
    from flowspec.report.fleets import Row

    flow = one.jobflow
    secrets = one.plan.secrets if one.plan else flow.secrets
    return Row(str(flow.path), flow.name, flow.target, str(mask(result, secrets)), code, cluster or one.running)


def message_of(error: Exception) -> str:
    """Returns the text of an error for a row of the table; of one that nothing expected, the reader looks above."""
    return error.message if isinstance(error, FlowspecError) else "failed, see above"


def run_preflights(planned: PlannedFleet, jobs: int) -> PlannedFleet:
    """Looks up for each plan whether all that it names is there, `jobs` plans at a time."""
    from flowspec.backend.threads import Threads

    def run_preflight(one: FlowPlan) -> FlowPlan:
        if not (one.plan and one.preflight) or one.plan.blocked:
            return one
        try:
            return replace(one, plan=one.preflight(one.plan))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other flows are looked at
            return replace(one, plan=None, error=error)

    # Ctrl-C does not wait for an endpoint that gives no answer.
    with Threads(jobs) as pool:
        return planned._replace(plans=list(pool.map(run_preflight, planned.plans)))


def plan_rows(planned: PlannedFleet) -> list[Row]:
    """Returns a row for each flow with what an apply would do, and its plan where that is something."""
    from flowspec.plan.findings import wrong
    from flowspec.report.fleets import result_of

    def row(one: FlowPlan) -> Row:
        assert one.plan is not None
        shown = one.plan if one.plan.has_changes or one.plan.blocked else None
        code = Exit.ERROR if wrong(one.plan.preflight or ()) else Exit.OK
        return replace(new_row(one, result_of(one.plan), code), plan=shown)

    return rows_of(planned, row)


def drift_rows(planned: PlannedFleet) -> list[Row]:
    """Returns a row for each flow that says whether its cluster is in sync with its spec, with exit 3 where not."""
    from flowspec.report.fleets import result_of

    def row(one: FlowPlan) -> Row:
        assert one.plan is not None
        if not one.running:
            return new_row(one, "not running")
        if not one.drifted:
            return new_row(one, "in sync")
        return replace(new_row(one, f"differs: {result_of(one.plan)}", Exit.CHANGES), plan=one.plan)

    return rows_of(planned, row)


def work_on_flows(work: Callable[[Item, Sleep], Row], items: Sequence[Item], jobs: int) -> tuple[list[Row], bool]:
    """Does the work of every item, as `work_on` does; returns the rows, and whether Ctrl-C came before there were all.

    Some work goes on after Ctrl-C to tell how it ended, so that no row says that it came.
    """
    from flowspec.fleet import work_on

    rows: list[Row] = []
    try:
        rows.extend(work_on(work, items, jobs=jobs))
    except KeyboardInterrupt:
        return rows, True
    return rows, False


def rows_not_begun(plans: Iterable[FlowPlan], rows: Iterable[Row]) -> Iterator[Row]:
    """Yields rows for the flows that have none, since Ctrl-C came before."""
    known = {row.spec for row in rows}
    for one in plans:
        if str(one.jobflow.path) not in known:
            yield new_row(one, "not begun, or not waited for: interrupted", Exit.INTERRUPTED)


def print_rows(rows: Sequence[Row], format_: str, title: str) -> Exit:
    """Prints the report of many flows and returns the exit code."""
    from flowspec.report import fleets

    code = worst(row.exit for row in rows)
    text = {
        "text": lambda: fleets.as_text(rows, color=wants_color(sys.stdout)),
        "json": lambda: fleets.as_json(rows, code),
        "markdown": lambda: fleets.as_markdown(rows, title),
    }[format_]()
    print_result(text)
    return code
