"""`flowspec doctor`: checks that this machine and AWS have what specs need."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import bare_endpoint
from flowspec.cli.options import SPEC_PATH, output_format
from flowspec.cli.output import print_json, print_result, wants_color
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_ON_EMR, Planning

if TYPE_CHECKING:
    from collections.abc import Collection

    from flowspec.backend.aws.client import Endpoint
    from flowspec.doctor.needs import Needs


@click.command("doctor", epilog="Example: flowspec doctor job.yaml --target prod")
@click.argument("spec", required=False, type=SPEC_PATH, metavar="[SPEC]")
@PLANNING_ON_EMR
@output_format("text", "json")
def command(spec: Path | None, planning: Planning, format_: str) -> int:
    """Check that this machine and AWS have what specs need; name a remedy for what is missing.

    With SPEC, exits with 1 when something is missing that its target needs. Nothing is changed, and without
    credentials nothing is asked of AWS.
    """
    from flowspec.doctor.check import State
    from flowspec.doctor.examine import examine
    from flowspec.report import checks as report

    endpoint, needs, secrets = _read_needs(spec, planning)
    checks = examine(endpoint, needs)
    if format_ == "json":
        print_json(report.checks_document(checks), secrets)
    else:
        print_result(report.checks_text(checks, color=wants_color(sys.stdout)), secrets=secrets)
    return Exit.ERROR if any(one.state is State.MISSING for one in checks) else Exit.OK


def _read_needs(spec: Path | None, planning: Planning) -> tuple[Endpoint, Needs, Collection[str]]:
    """Returns where a spec runs, what it needs there, and its secrets."""
    from flowspec.backend.aws.client import Endpoint
    from flowspec.doctor.needs import Needs

    if spec is None:
        return bare_endpoint("emr", planning.connection), Needs(), ()
    flow, request = compile_spec(spec, planning, placeholders=True, warn=lambda _: None)
    return Endpoint.of(flow), Needs.of(flow, request), flow.secrets | request.secrets
