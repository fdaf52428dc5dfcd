"""`flowspec plan`: what apply would do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import CONNECTION, REPLACE, SPEC, STAGING, VARIABLES, output_format
from flowspec.cli.output import print_result
from flowspec.cli.planning import planned


@click.command("plan", epilog="Example: flowspec plan job.yaml --target prod --exit-code")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@REPLACE
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@output_format("text", "json")
def command(spec: Path, replace: bool, exit_code: bool, format_: str, **options: Any) -> int:
    """Show what apply would do, and why. Nothing is changed and nothing is run."""
    from flowspec.report import plans

    made, _ = planned(spec, replace=replace, **options)
    print_result(plans.as_json(made) if format_ == "json" else plans.as_text(made))
    return Exit.CHANGES if exit_code and made.has_changes else Exit.OK
