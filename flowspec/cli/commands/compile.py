"""`flowspec compile`: the RunJobFlow request of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, STAGING, VARIABLES, output_format
from flowspec.cli.output import print_json, print_warnings
from flowspec.cli.specs import job_flow


@click.command("compile", epilog="Example: flowspec compile job.yaml > request.json")
@SPEC
@VARIABLES
@STAGING
@click.option("--reveal", is_flag=True, help="Show secrets as they are, so that the request can be sent or compared.")
@output_format("json")
def command(spec: Path, format_: str, reveal: bool, **options: Any) -> int:  # noqa: ARG001 - JSON is the only format
    """Print the RunJobFlow request that a spec becomes, secrets masked unless --reveal."""
    from flowspec.request.compile import compile

    flow = job_flow(spec, placeholders=not reveal, **options)
    request = compile(flow)
    print_warnings(request.warnings)
    print_json(request.params, frozenset() if reveal else request.secrets)
    return Exit.OK
