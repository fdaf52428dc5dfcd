"""Commands that need nobody: validate, render, compile, schema. They open no socket and import no boto3."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.cores import each
from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, STAGING, VARIABLES, job_flow, output_format, rendered
from flowspec.cli.output import result, say, wants_color
from flowspec.errors import Diagnostic, Severity, SpecError

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy


def show_warnings(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Warnings of a valid spec, on stderr."""
    from flowspec.report.diagnostics import as_text

    if diagnostics:
        say(as_text(diagnostics, color=wants_color()))


@click.command(epilog="Example: flowspec validate jobs/*.yaml --target prod --var day=2026-11-22")
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
def validate(
    specs: tuple[Path, ...], strict: bool, policy_files: tuple[Path, ...], format_: str, **options: Any
) -> int:
    """Check specs offline: every error with its place and remedy, all in one go."""
    from flowspec.report import diagnostics as report

    policies = _policies(policy_files)
    found: list[Diagnostic] = []
    for spec, errors in zip(specs, each(partial(_findings, policies=policies, options=options), specs), strict=True):
        found += errors
        if format_ == "text" and not _is_bad(errors, strict):
            result(f"{spec}: valid")
    if format_ != "text":
        show = {"json": report.as_json, "github": report.as_github, "sarif": report.as_sarif}[format_]
        result(show(found))
    elif found:
        say(report.as_text(found, color=wants_color()))
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
    return _held_against(policies, flow, request)


def _held_against(policies: list[Policy], flow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """The warnings of a valid spec, and what the policies have against it."""
    if not policies:
        return flow.warnings
    from flowspec.request.policy import violations

    found = [one for policy in policies for one in violations(policy, flow, request)]
    return tuple(sorted((*flow.warnings, *found), key=lambda one: one.sort_key))


def _is_bad(found: list[Diagnostic] | tuple[Diagnostic, ...], strict: bool) -> bool:
    return any(one.severity is Severity.ERROR or (strict and one.severity is Severity.WARNING) for one in found)


@click.command(epilog="Example: flowspec render job.yaml --target laptop --vs prod")
@SPEC
@VARIABLES
@click.option("--explain", is_flag=True, help="Show with each value where it comes from.")
@click.option("--vs", "other", metavar="NAME", help="Show what differs at this target.")
@output_format("yaml", "json")
def render(spec: Path, format_: str, explain: bool, other: str | None, **options: Any) -> int:
    """Show a spec as it is for one target: variables filled in, loops written out, secrets masked."""
    if explain and other is not None:
        raise click.UsageError("--explain and --vs are two questions: ask one at a time")
    flow = _checked(spec, options)
    if other is not None:
        result(_differences(flow, _checked(spec, {**options, "target": other}), format_))
    else:
        result(_shown(flow, format_, explain), newline=False)
    return Exit.OK


def _checked(spec: Path, options: dict[str, Any]) -> JobFlow:
    from flowspec.document.validate import validate

    flow = validate(rendered(spec, **options))
    show_warnings(flow.warnings)
    return flow


def _shown(flow: JobFlow, format_: str, explain: bool) -> str:
    from flowspec.document.dump import dump
    from flowspec.document.tree import plain

    if explain:
        from flowspec.report.rendering import explained, explained_as_json

        return explained(flow.document) if format_ == "yaml" else explained_as_json(flow.document) + "\n"
    return dump(flow.document) if format_ == "yaml" else _json(plain(flow.document.root), flow.secrets) + "\n"


def _differences(one: JobFlow, other: JobFlow, format_: str) -> str:
    from flowspec.report.rendering import differences, differences_as_json, differences_as_text

    show = differences_as_json if format_ == "json" else differences_as_text
    return show(differences(one.document, other.document), one.target or "(no target)", other.target)


@click.command("compile", epilog="Example: flowspec compile job.yaml > request.json")
@SPEC
@VARIABLES
@STAGING
@click.option("--reveal", is_flag=True, help="Show secrets as they are, so that the request can be sent or compared.")
@output_format("json")
def compile_(spec: Path, format_: str, reveal: bool, **options: Any) -> int:  # noqa: ARG001 - JSON is the only format
    """Print the RunJobFlow request that a spec becomes, secrets masked unless --reveal."""
    from flowspec.request.compile import compile

    flow = job_flow(spec, **options)
    show_warnings(flow.warnings)
    request = compile(flow)
    result(_json(request.params, frozenset() if reveal else request.secrets))
    return Exit.OK


def _json(value: Any, secrets: frozenset[str]) -> str:
    import json

    from flowspec.document.masking import mask

    return json.dumps(mask(value, secrets), indent=2, ensure_ascii=False)


@click.command(epilog="Example: flowspec schema > flowspec-v1.schema.json")
def schema() -> int:
    """Print the JSON Schema of the spec: the reference of all its fields, for people and editors."""
    from flowspec.document.schema import text

    result(text(), newline=False)
    return Exit.OK
