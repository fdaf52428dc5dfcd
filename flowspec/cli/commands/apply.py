"""`flowspec apply`: submits a spec, or joins its run, and watches it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.options import YES, output_format
from flowspec.cli.planning import add_preflight, eprint_plan, make_plan, refuse_contradictions, remake_saved_plan
from flowspec.cli.run_options import FOLLOWING, PLANNING, Following, Planning
from flowspec.cli.selection import FLEET, PATHS, Fleet, names_many, text_of_saved_plan

if TYPE_CHECKING:
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.cli.planning import Planned
    from flowspec.document.text.tree import Document
    from flowspec.plan.changes import Plan


@click.command("apply", epilog="Example: flowspec apply job.yaml --target prod --var day=2026-11-22")
@PATHS
@PLANNING
@FLEET
@FOLLOWING
@click.option("--prune", is_flag=True, help="Terminate clusters whose specs are no longer in the folder; asks first.")
@YES
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[Path, ...],
    planning: Planning,
    fleet: Fleet,
    following: Following,
    prune: bool,
    yes: bool,
    format_: str,
) -> int:
    """Start the cluster of a spec, or change its running cluster to match the spec; watch the run to its end.

    If a run of the same request is active, it is joined. A long-running cluster is changed in place; a change that EMR
    can't make is refused without --replace. When the run fails, the probable cause is shown.

    SPEC is a file, a folder (the specs in it and below it) or a glob. If one of several flows fails, the others go on,
    and the exit code is the worst one. SPEC may be a plan saved by `flowspec plan -o FILE`: exactly that is done, or
    refused if something has changed since.
    """
    refuse_contradictions(planning.converging, planning.selecting)
    if prune or names_many(paths, fleet.selects):
        from flowspec.cli.fleet_apply import apply_specs

        return apply_specs(paths, fleet, planning, following, prune=prune, yes=yes, format_=format_)
    (spec,) = paths
    return _apply_one(spec, planning, following, format_)


def _apply_one(spec: Path, planning: Planning, following: Following, format_: str) -> int:
    from flowspec.cli.applied import apply_and_follow, print_detached

    planned = _read_plan(spec, planning, run_bootstrap=following.run_bootstrap)
    planned = add_preflight(planned, skip=following.skip_preflight)
    eprint_plan(planned.plan)
    if planned.again:
        planned = planned._replace(again=partial(_replan_and_print, planned.again))
    applied, code = apply_and_follow(planned, following, _describe_outcome, format_=format_)
    return print_detached(planned.emr, applied, format_, planned.plan.skipped) if code is None else code


def _describe_outcome(applied: Applied) -> str:
    return "joined" if applied.joined else "started"


def _replan_and_print(replan: Callable[[], Plan]) -> Plan:
    """Makes the plan again and prints it."""
    made = replan()
    eprint_plan(made)
    return made


def _read_plan(spec: Path, planning: Planning, *, run_bootstrap: bool) -> Planned:
    found: Path | Document = spec
    text = text_of_saved_plan(spec)
    if not spec.is_file():
        from flowspec.document.text.parse import document_of, read
        from flowspec.plan.saved import is_plan_file

        # A pipe of the shell, such as `<(sops -d plan.json)`, can be read once.
        source = read(spec)
        text = source.text if is_plan_file(source.text) else ""
        found = spec if text else document_of(source)
    if text:
        return remake_saved_plan(text, planning, run_bootstrap=run_bootstrap)
    return make_plan(found, planning, run_bootstrap=run_bootstrap)
