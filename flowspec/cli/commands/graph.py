"""`flowspec graph`: the steps of a spec and the data that they read and write."""

from __future__ import annotations

from pathlib import Path

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, output_format
from flowspec.cli.output import print_result, print_warnings
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_OFFLINE, Planning


@click.command("graph", epilog="Example: flowspec graph job.yaml --format svg > steps.svg")
@SPEC
@PLANNING_OFFLINE
@output_format("text", "mermaid", "svg", "json")
def command(spec: Path, planning: Planning, format_: str) -> int:
    """Show the steps of a spec and the data that each reads and writes, as its request says. Nothing is run.

    Data that a program uses without naming it in its arguments is not known. Scripts, jars and other files that
    a step uses are in text and JSON; Mermaid and SVG draw only data.
    """
    from flowspec.report import graphs
    from flowspec.request.graph import find_misordered_steps, graph_of

    flow, request = compile_spec(spec, planning, placeholders=True, warn=lambda _: None)
    print_warnings((*request.warnings, *find_misordered_steps(flow, request)))
    show = {"text": graphs.as_text, "mermaid": graphs.as_mermaid, "svg": graphs.as_svg, "json": graphs.as_json}[format_]
    print_result(show(graph_of(request.params, flow.region), request.secrets))
    return Exit.OK
