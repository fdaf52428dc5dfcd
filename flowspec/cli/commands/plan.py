"""`flowspec plan`: what apply would do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import CONNECTION, CONVERGING, SPEC, STAGING, VARIABLES, output_format
from flowspec.cli.output import print_result
from flowspec.cli.planning import plan_to_save, planned, planned_offline
from flowspec.cli.policies import POLICY


@click.command("plan", epilog="Example: flowspec plan job.yaml --target prod --exit-code")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@CONVERGING
@POLICY
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan; `flowspec apply FILE` does exactly that, or refuses.",
)
@click.option("--offline", is_flag=True, help="Show what would be submitted; no credentials, no call.")
@click.option("--preflight", is_flag=True, help="Look whether what it names is there: files, inputs, roles, subnets …")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@output_format("text", "json", "markdown")
def command(  # noqa: PLR0917 - click passes options by name
    spec: Path, out: Path | None, offline: bool, preflight: bool, exit_code: bool, format_: str, **options: Any
) -> int:
    """Show what apply would do, and why. Nothing is changed and nothing is run."""
    from flowspec.plan.findings import wrong
    from flowspec.report import plans

    if preflight and offline:
        raise click.UsageError("--preflight asks AWS, which a plan with --offline does not")
    if out and offline:
        raise click.UsageError("--out saves a plan for what runs, which one with --offline does not look at")
    if offline:
        made = planned_offline(spec, **options)
    elif out:
        (made, _, _, look), text = plan_to_save(spec, **options)
        made = look(made) if preflight else made
        out.write_text(text, "utf-8")
    else:
        made, _, _, look = planned(spec, **options)
        made = look(made) if preflight else made
    show = {"text": plans.as_text, "json": plans.as_json, "markdown": plans.as_markdown}[format_]
    print_result(show(made))
    if wrong(made.preflight or ()):
        return Exit.ERROR
    return Exit.CHANGES if exit_code and made.has_changes else Exit.OK
