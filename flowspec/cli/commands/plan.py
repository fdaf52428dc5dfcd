"""`flowspec plan`: what apply would do, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.drafts import refuse_spec, write_whole
from flowspec.cli.exits import Exit
from flowspec.cli.options import NonEmptyPath, output_format
from flowspec.cli.output import print_result, wants_color
from flowspec.cli.planning import compile_spec, make_plan, plan_to_save, refuse_contradictions, refuse_converging
from flowspec.cli.run_options import PLANNING, Planning
from flowspec.cli.selection import FLEET, PATHS, Fleet, names_many, refuse_saved_plans

if TYPE_CHECKING:
    from flowspec.plan.changes import Plan


@click.command("plan", epilog="Example: flowspec plan job.yaml --target prod --exit-code")
@PATHS
@PLANNING
@FLEET
@click.option(
    "-o",
    "--out",
    callback=refuse_spec,
    type=NonEmptyPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan to FILE, and replace what is there; `flowspec apply FILE` does exactly that, or refuses.",
)
@click.option(
    "--offline", is_flag=True, help="Call no AWS service, need no credentials: show what the first apply would submit."
)
@click.option(
    "--preflight",
    is_flag=True,
    help="Check that what the spec names exists (inputs, roles, subnets …); exit with 1 when something is missing.",
)
@click.option("--prune", is_flag=True, help="Also show which clusters `apply --prune` would terminate.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes; default: with 0.")
@output_format("text", "json", "markdown")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[Path, ...],
    planning: Planning,
    fleet: Fleet,
    out: Path | None,
    offline: bool,
    preflight: bool,
    prune: bool,
    exit_code: bool,
    format_: str,
) -> int:
    """Show what apply would change, and why. Nothing is changed and nothing is run.

    SPEC is a file, a folder (the specs in it and below it) or a glob. The plans of several flows are followed by a
    table of all flows.
    """
    _refuse_useless_options(out, offline=offline, preflight=preflight, prune=prune)
    refuse_contradictions(planning.converging, planning.selecting)
    if offline:
        refuse_converging(planning.converging)
    if prune or names_many(paths, fleet.selects):
        if out:
            raise click.UsageError("--out saves the plan of one spec only")
        code, changes = _plan_many(paths, planning, fleet, format_, offline=offline, preflight=preflight, prune=prune)
    else:
        (spec,) = paths
        made = _plan_one(spec, planning, out, offline=offline, preflight=preflight)
        code = _print(made, format_)
        changes = made.has_changes
    return Exit.CHANGES if exit_code and changes and not code else code


def _plan_many(
    paths: Sequence[Path],
    planning: Planning,
    fleet: Fleet,
    format_: str,
    *,
    offline: bool,
    preflight: bool,
    prune: bool,
) -> tuple[Exit, bool]:
    """Makes and prints the plans of many specs; returns the exit code, and whether anything would change."""
    from flowspec.cli.fleet import plan_rows, plan_specs, print_rows, run_preflights
    from flowspec.cli.pruning import find_orphans, specs_and_folders

    specs, folders = specs_and_folders(paths, fleet.selects, planning.rendering, prune=prune)
    planned = plan_specs(specs, planning, jobs=fleet.jobs, offline=offline)
    orphans = find_orphans(folders, planned, planning)
    rows = plan_rows(run_preflights(planned, fleet.jobs) if preflight else planned)
    rows += [one.row(f"to terminate: {one.cluster.id}, whose spec is gone") for one in orphans]
    rows.sort(key=lambda row: row.spec)
    code = print_rows(rows, format_, "flowspec plan")
    return code, bool(orphans) or any(row.plan and row.plan.has_changes for row in rows)


def _plan_one(spec: Path, planning: Planning, out: Path | None, *, offline: bool, preflight: bool) -> Plan:
    """Makes the plan of a spec, and saves it in `out`."""
    refuse_saved_plans([spec])
    if offline:
        from flowspec.pipeline import plan_offline

        return plan_offline(*compile_spec(spec, planning, placeholders=True))
    found, text = plan_to_save(spec, planning) if out else (make_plan(spec, planning), "")
    made = found.preflight(found.plan) if preflight else found.plan
    if out:
        write_whole(out, text)
    return made


def _print(made: Plan, format_: str) -> Exit:
    from flowspec.plan.findings import wrong
    from flowspec.report import plans

    formats: dict[str, Callable[[Plan], str]] = {
        "text": partial(plans.as_text, color=wants_color(sys.stdout)),
        "json": plans.as_json,
        "markdown": plans.as_markdown,
    }
    print_result(formats[format_](made))
    return Exit.ERROR if wrong(made.preflight or ()) else Exit.OK


def _refuse_useless_options(out: Path | None, *, offline: bool, preflight: bool, prune: bool) -> None:
    """Raises click.UsageError for options that do not fit the other options of the plan."""
    if preflight and offline:
        raise click.UsageError("--preflight and --offline exclude each other: the checks ask AWS")
    if prune and offline:
        raise click.UsageError("--prune and --offline exclude each other: --prune searches for running clusters")
    if str(out) == "-":
        raise click.UsageError("--out saves a plan in a file; --format json prints one on stdout")
    if out and offline:
        raise click.UsageError("--out and --offline exclude each other: a saved plan is made for the running cluster")
