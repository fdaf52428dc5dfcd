"""`flowspec render`: a spec as it is for one target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, VARIABLES, complete_with, output_format
from flowspec.cli.output import print_result, print_warnings
from flowspec.cli.specs import Rendering, render_spec
from flowspec.report.json_text import as_json

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow


@click.command("render", epilog="Example: flowspec render job.yaml --target laptop --vs prod")
@SPEC
@VARIABLES
@click.option("--explain", is_flag=True, help="Show where each value comes from.")
@click.option(
    "--vs",
    "other",
    metavar="NAME",
    help="Show the differences from the target NAME.",
    shell_complete=complete_with("targets"),
)
@output_format("yaml", "json")
def command(spec: Path, format_: str, explain: bool, other: str | None, rendering: Rendering) -> int:
    """Show a spec as it is for one target: variables filled in, loops written out, secrets masked."""
    if explain and other is not None:
        raise click.UsageError("--explain and --vs exclude each other")
    flow = _validated_flow(spec, rendering)
    if other is not None:
        print_result(_differences(flow, _validated_flow(spec, rendering._replace(target=other)), format_))
    else:
        print_result(_as_text(flow, format_, explain), newline=False)
    return Exit.OK


def _validated_flow(spec: Path, rendering: Rendering) -> JobFlow:
    from flowspec.document.checking.validate import validate

    flow = validate(render_spec(spec, rendering, placeholders=True))
    print_warnings(flow.warnings)
    return flow


def _as_text(flow: JobFlow, format_: str, explain: bool) -> str:
    from flowspec.document.text.dump import dump
    from flowspec.document.text.tree import plain

    if explain:
        from flowspec.report.rendering import annotated_json, annotated_yaml

        return annotated_yaml(flow.document) if format_ == "yaml" else annotated_json(flow.document) + "\n"
    return dump(flow.document) if format_ == "yaml" else as_json(plain(flow.document.root), flow.secrets) + "\n"


def _differences(one: JobFlow, other: JobFlow, format_: str) -> str:
    from flowspec.document.rendering.compare import differences
    from flowspec.report.rendering import differences_as_json, differences_as_text

    show = differences_as_json if format_ == "json" else differences_as_text
    return show(differences(one.document, other.document), one.target or "(no target)", other.target)
