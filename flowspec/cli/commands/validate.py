"""`flowspec validate`: checks specs offline."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.cores import each
from flowspec.cli.exits import Exit
from flowspec.cli.options import STAGING, VARIABLES, job_flow, output_format
from flowspec.cli.output import eprint, print_result, wants_color
from flowspec.errors import Diagnostic, Severity, SpecError

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy


@click.command("validate", epilog="Example: flowspec validate jobs/*.yaml --target prod --var day=2026-11-22")
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False), metavar="SPEC...")
@VARIABLES
@STAGING
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option(
    "--policy",
    "policy_files",
    multiple=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="JSON Schema (JSON or YAML) that the request must satisfy too; may be repeated.",
)
@output_format("text", "json", "github", "sarif")
def command(specs: tuple[Path, ...], strict: bool, policy_files: tuple[Path, ...], format_: str, **options: Any) -> int:
    """Check specs offline: every error with its place and remedy, all in one go."""
    from flowspec.report import diagnostics as report

    policies = _policies(policy_files)
    found: list[Diagnostic] = []
    for spec, errors in zip(specs, each(partial(_findings, policies=policies, options=options), specs), strict=True):
        found += errors
        if format_ == "text" and not _is_bad(errors, strict):
            print_result(f"{spec}: valid")
    if format_ != "text":
        show = {"json": report.as_json, "github": report.as_github, "sarif": report.as_sarif}[format_]
        print_result(show(found))
    elif found:
        eprint(report.as_text(found, color=wants_color()))
    return Exit.USAGE if _is_bad(found, strict) else Exit.OK


def _policies(files: tuple[Path, ...]) -> list[Policy]:
    if not files:
        return []
    from flowspec.request import policy

    return [policy.read(file) for file in files]


def _findings(spec: Path, *, policies: list[Policy], options: dict[str, Any]) -> tuple[Diagnostic, ...]:
    from flowspec.request.compile import compile

    try:
        flow = job_flow(spec, **options)
        request = compile(flow)
    except SpecError as error:
        return error.diagnostics
    return _with_violations(policies, flow, request)


def _with_violations(policies: list[Policy], flow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """Returns the warnings of a valid spec and its violations of policies, by place."""
    if not policies:
        return flow.warnings
    from flowspec.request.policy import violations

    found = [one for policy in policies for one in violations(policy, flow, request)]
    return tuple(sorted((*flow.warnings, *found), key=lambda one: one.sort_key))


def _is_bad(found: list[Diagnostic] | tuple[Diagnostic, ...], strict: bool) -> bool:
    return any(one.severity is Severity.ERROR or (strict and one.severity is Severity.WARNING) for one in found)
