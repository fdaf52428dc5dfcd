"""`flowspec compile`: the RunJobFlow request of a spec."""

from __future__ import annotations

from pathlib import Path

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, output_format
from flowspec.cli.output import print_json
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_OFFLINE, Planning


@click.command("compile", epilog="Example: flowspec compile job.yaml > request.json")
@SPEC
@PLANNING_OFFLINE
@click.option("--reveal", is_flag=True, help="Show secrets as they are, so that the request can be sent or compared.")
@output_format("json")
def command(spec: Path, planning: Planning, reveal: bool, format_: str) -> int:  # noqa: ARG001 - JSON is the only format
    """Print the RunJobFlow request that a spec becomes, secrets masked unless --reveal."""
    _, request = compile_spec(spec, planning, placeholders=not reveal)
    print_json(request.params, frozenset() if reveal else request.secrets)
    return Exit.OK
