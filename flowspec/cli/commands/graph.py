"""`flowspec graph`: the steps of a spec and the data that they read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, STAGING, VARIABLES, output_format
from flowspec.cli.output import print_result, print_warnings
from flowspec.cli.specs import job_flow


@click.command("graph", epilog="Example: flowspec graph job.yaml --format svg > steps.svg")
@SPEC
@VARIABLES
@STAGING
@output_format("text", "mermaid", "svg", "json")
def command(spec: Path, format_: str, **options: Any) -> int:
    """Show the steps of a spec and the data that each reads and writes, as its request says. Nothing is run.

    Data that a program uses without naming it in its arguments is not known. Scripts, jars and other files that
    a step uses are in text and JSON; Mermaid and SVG draw only data.
    """
    from flowspec.report import graphs
    from flowspec.request.compile import compile
    from flowspec.request.graph import find_misordered_steps, graph_of

    flow = job_flow(spec, placeholders=True, **options)
    request = compile(flow)
    print_warnings((*request.warnings, *find_misordered_steps(flow, request)))
    show = {
        "text": graphs.as_text,
        "mermaid": graphs.as_mermaid,
        "svg": graphs.as_svg,
        "json": graphs.as_json,
    }[format_]
    print_result(show(graph_of(request.params, flow.region), request.secrets))
    return Exit.OK
