"""`flowspec validate`: checks specs offline."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.cores import map_on_cores
from flowspec.cli.exits import Exit
from flowspec.cli.options import STAGING, VARIABLES, output_format
from flowspec.cli.output import Level, eprint_report, print_result, wants_color
from flowspec.cli.policies import POLICY, read_policies, violations_of
from flowspec.cli.selection import PATHS, SELECT, selected_specs
from flowspec.cli.specs import Connection, Rendering, job_flow
from flowspec.document.discovery import find_flows_to_check
from flowspec.document.escaping import visible
from flowspec.errors import Diagnostic, Severity, SpecError

if TYPE_CHECKING:
    from flowspec.request.policy import Policy


@click.command("validate", epilog="Example: flowspec validate jobs/*.yaml --all-targets --var day=2026-11-22")
@PATHS
@VARIABLES
@STAGING
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--all-targets", is_flag=True, help="Check each spec at all of its targets, instead of at one.")
@POLICY
@SELECT
@output_format("text", "json", "github", "sarif")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[Path, ...],
    rendering: Rendering,
    staging: str | None,
    strict: bool,
    all_targets: bool,
    policy_files: tuple[Path, ...],
    format_: str,
    selects: tuple[str, ...],
) -> int:
    """Check specs offline: all errors together, each with its place and remedy.

    SPEC is a file, a folder (the specs in it and below it) or a glob. For a base file, the flows of its
    repository that extend it are checked.
    """
    from flowspec.report import diagnostics as report

    if all_targets and rendering.target is not None:
        raise click.UsageError("--all-targets and --target exclude each other")
    policies = read_policies(policy_files)
    specs = selected_specs(paths, selects, rendering, find=find_flows_to_check)
    check = _at_all_targets if all_targets else _findings
    work = partial(check, rendering=rendering, staging=staging, policies=policies)
    found: list[Diagnostic] = []
    for spec, errors in zip(specs, map_on_cores(work, specs), strict=True):
        found += errors
        if format_ == "text" and not _has_failed(errors, strict):
            print_result(f"{visible(str(spec))}: valid")
    # A mistake in a base file is found in each flow that extends it; GitHub shows ten annotations of a step.
    found = list(dict.fromkeys(found))
    if format_ != "text":
        show = {"json": report.as_json, "github": report.as_github, "sarif": report.as_sarif}[format_]
        print_result(show(found), newline=format_ != "github", ci_commands=format_ == "github")
    elif found:
        level = Level.ERROR if _has_failed(found, strict) else Level.WARNING
        eprint_report(report.as_text(found, color=wants_color()), level=level)
    return Exit.USAGE if _has_failed(found, strict) else Exit.OK


def _findings(spec: Path, rendering: Rendering, staging: str | None, policies: list[Policy]) -> tuple[Diagnostic, ...]:
    from flowspec.request.compile import compile
    from flowspec.request.graph import find_misordered_steps

    try:
        flow = job_flow(spec, rendering, Connection(), staging=staging, placeholders=True)
        request = compile(flow)
    except SpecError as error:
        return error.diagnostics
    found = (*request.warnings, *find_misordered_steps(flow, request), *violations_of(policies, flow, request))
    return tuple(sorted(found, key=lambda one: one.sort_key))


def _at_all_targets(
    spec: Path, rendering: Rendering, staging: str | None, policies: list[Policy]
) -> tuple[Diagnostic, ...]:
    from flowspec.document.rendering.extends import target_names
    from flowspec.report.diagnostics import merge_targets

    try:
        names: list[str | None] = [*target_names(spec)] or [None]
    except SpecError as error:
        return error.diagnostics
    return merge_targets(
        one for name in names for one in _findings(spec, rendering._replace(target=name), staging, policies)
    )


def _has_failed(found: list[Diagnostic] | tuple[Diagnostic, ...], strict: bool) -> bool:
    return any(one.severity is Severity.ERROR or (strict and one.severity is Severity.WARNING) for one in found)
