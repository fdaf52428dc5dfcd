"""`flowspec drift`: reports the living clusters that differ from their specs."""

from __future__ import annotations

from pathlib import Path

import click

from flowspec.cli.options import CONNECTION, SPEC_PATH, STAGING, VARIABLES, gather, output_format
from flowspec.cli.policies import POLICY
from flowspec.cli.run_options import Planning
from flowspec.cli.selection import FLEET, Fleet, selected_specs


@click.command("drift", epilog="Example: flowspec drift jobs/ --target prod --format markdown")
@click.argument("paths", nargs=-1, type=SPEC_PATH, metavar="[PATH...]")
@gather(Planning, VARIABLES, CONNECTION, STAGING, POLICY)
@FLEET
@output_format("text", "json", "markdown")
def command(paths: tuple[Path, ...], planning: Planning, fleet: Fleet, format_: str) -> int:
    """Show which running clusters differ from their specs, and what apply would change. Nothing is changed.

    PATH is a spec, a folder (the specs in it and below it) or a glob; default: the current folder. The exit code is 3
    if a cluster differs, or that of the error if a flow can't be compared. A flow that is not running does not count.
    """
    from flowspec.cli.fleet import drift_rows, plan_specs, print_rows

    specs = selected_specs(paths or (Path(),), fleet.selects, planning.rendering)
    return print_rows(drift_rows(plan_specs(specs, planning, jobs=fleet.jobs, warn=False)), format_, "flowspec drift")
