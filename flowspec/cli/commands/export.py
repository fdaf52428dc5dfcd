"""`flowspec export`: a spec in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.drafts import draft_file, draft_option, write_draft
from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, STAGING, VARIABLES
from flowspec.cli.output import ewarn, print_warnings
from flowspec.cli.specs import job_flow

_FORMATS = ("aws-cli", "cloudformation", "terraform", "stepfunctions", "airflow")


@click.command("export", epilog="Example: flowspec export --to terraform job.yaml -o main.tf")
@SPEC
@click.option("--to", type=click.Choice(_FORMATS), required=True, help="The format to write.")
@VARIABLES
@STAGING
@draft_option("FILE", "Write it here; default, and for -: stdout.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
def command(spec: Path, to: str, output: Path | None, force: bool, **options: Any) -> int:
    """Write a spec as an AWS CLI script, CloudFormation, Terraform, a Step Functions state machine or an Airflow DAG.

    The compiled request of one target is written, read back and compared; what the format can't express, or adds,
    is a note. Sensitive variables are never written: they become variables, parameters or inputs there.
    """
    from flowspec.exporters.exported import export
    from flowspec.request.compile import compile

    output = draft_file(output, force=force)
    flow = job_flow(spec, **options)
    request = compile(flow)
    made = export(flow, to, request)
    print_warnings(request.warnings)
    write_draft(output, made.text)
    for note in made.notes:
        ewarn(f"note: {note}")
    return Exit.OK
