"""`flowspec plan`: what apply would do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import CONNECTION, CONVERGING, SPEC, STAGING, VARIABLES, output_format
from flowspec.cli.output import print_result
from flowspec.cli.planning import plan_to_save, planned


@click.command("plan", epilog="Example: flowspec plan job.yaml --target prod --exit-code")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@CONVERGING
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan; `flowspec apply FILE` does exactly that, or refuses.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@output_format("text", "json")
def command(spec: Path, out: Path | None, exit_code: bool, format_: str, **options: Any) -> int:
    """Show what apply would do, and why. Nothing is changed and nothing is run."""
    from flowspec.report import plans

    if out:
        made, text = plan_to_save(spec, **options)
        out.write_text(text, "utf-8")
    else:
        made, _ = planned(spec, **options)
    print_result(plans.as_json(made) if format_ == "json" else plans.as_text(made))
    return Exit.CHANGES if exit_code and made.has_changes else Exit.OK
