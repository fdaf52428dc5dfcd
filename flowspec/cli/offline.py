"""Commands that need nobody: validate, render, compile, schema. They open no socket and import no boto3."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, VARIABLES, job_flow, output_format, rendered
from flowspec.errors import Diagnostic, Severity, SpecError


def wants_color() -> bool:
    """Colours only on a terminal, and not where NO_COLOR asks for none (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def show_warnings(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Warnings of a valid spec, on stderr."""
    from flowspec.report.diagnostics import as_text

    if diagnostics:
        click.echo(as_text(diagnostics, color=wants_color()), err=True)


@click.command(epilog="Example: flowspec validate jobs/*.yaml --target prod --var day=2026-11-22")
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False), metavar="SPEC...")
@VARIABLES
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@output_format("text", "json", "github", "sarif")
def validate(specs: tuple[Path, ...], strict: bool, format_: str, **options: Any) -> int:
    """Check specs offline: every error with its place and remedy, all in one go."""
    from flowspec.report import diagnostics as report

    found: list[Diagnostic] = []
    for spec in specs:
        errors = _findings(spec, options)
        found += errors
        if format_ == "text" and not _is_bad(errors, strict):
            click.echo(f"{spec}: valid")
    if format_ != "text":
        show = {"json": report.as_json, "github": report.as_github, "sarif": report.as_sarif}[format_]
        click.echo(show(found))
    elif found:
        click.echo(report.as_text(found, color=wants_color()), err=True)
    return Exit.USAGE if _is_bad(found, strict) else Exit.OK


def _findings(spec: Path, options: dict[str, Any]) -> tuple[Diagnostic, ...]:
    from flowspec.request import compile

    try:
        flow = job_flow(spec, **options)
        compile(flow)
    except SpecError as error:
        return error.diagnostics
    return flow.warnings


def _is_bad(found: list[Diagnostic] | tuple[Diagnostic, ...], strict: bool) -> bool:
    return any(one.severity is Severity.ERROR or (strict and one.severity is Severity.WARNING) for one in found)


@click.command(epilog="Example: flowspec render job.yaml --target prod")
@SPEC
@VARIABLES
@output_format("yaml", "json")
def render(spec: Path, format_: str, **options: Any) -> int:
    """Show a spec as it is for one target: variables filled in, loops written out, secrets masked."""
    from flowspec.spec import dump, validate
    from flowspec.spec.document import plain

    document = rendered(spec, **options)
    flow = validate(document)
    show_warnings(flow.warnings)
    if format_ == "yaml":
        click.echo(dump(document), nl=False)
        return Exit.OK
    _show_json(plain(document.root), flow.secrets)
    return Exit.OK


@click.command("compile", epilog="Example: flowspec compile job.yaml > request.json")
@SPEC
@VARIABLES
@output_format("json")
def compile_(spec: Path, format_: str, **options: Any) -> int:  # noqa: ARG001 - JSON is the only format there is
    """Print the RunJobFlow request that a spec becomes, secrets masked."""
    from flowspec.request import compile

    flow = job_flow(spec, **options)
    show_warnings(flow.warnings)
    request = compile(flow)
    _show_json(request.params, request.secrets)
    return Exit.OK


def _show_json(value: Any, secrets: frozenset[str]) -> None:
    import json

    from flowspec.report.masking import mask

    click.echo(json.dumps(mask(value, secrets), indent=2, ensure_ascii=False))


@click.command(epilog="Example: flowspec schema > flowspec-v1.schema.json")
def schema() -> int:
    """Print the JSON Schema of the spec: the reference of all its fields, for people and editors."""
    from flowspec.spec.schema import text

    click.echo(text(), nl=False)
    return Exit.OK
