"""`flowspec export`: a spec in the format of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from flowspec.cli.drafts import draft_file, draft_option, write_draft
from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, Choice
from flowspec.cli.output import ewarn, print_warnings
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_OFFLINE, Planning

_FORMATS = ("aws-cli", "cloudformation", "terraform", "stepfunctions", "airflow")


@click.command("export", epilog="Example: flowspec export --to terraform job.yaml -o main.tf")
@SPEC
@click.option("--to", type=Choice(_FORMATS), required=True, help="The format to write.")
@PLANNING_OFFLINE
@draft_option("FILE", "Write it here; default, and for -: stdout.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
def command(spec: Path, to: str, planning: Planning, output: Path | None, force: bool) -> int:
    """Write a spec as an AWS CLI script, CloudFormation, Terraform, a Step Functions state machine or an Airflow DAG.

    The compiled request of one target is written, read back and compared; notes list what the format can't express
    and what it adds. Values of sensitive variables are never written: they become variables, parameters or inputs.
    """
    from flowspec.exporters.exported import export

    output = draft_file(output, force=force)
    flow, request = compile_spec(spec, planning, warn=lambda _: None)
    made = export(flow, to, request)
    print_warnings(request.warnings)
    write_draft(output, made.text)
    for note in made.notes:
        ewarn(f"note: {note}")
    return Exit.OK
