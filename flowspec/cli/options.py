"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from flowspec.emr.client import Endpoint
    from flowspec.spec import Document, JobFlow

Command = TypeVar("Command", bound=Callable[..., Any])

SPEC = click.argument("spec", type=click.Path(path_type=Path, readable=False), metavar="SPEC")
TARGET = click.option("-t", "--target", metavar="NAME", help="Target of the spec; default: the one marked default.")


def _together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


VARIABLES = _together(
    TARGET,
    click.option("--var", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a variable; may be repeated."),
    click.option(
        "--var-file",
        "variable_files",
        multiple=True,
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        help="YAML or JSON file of variables; may be repeated.",
    ),
    click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The day of `ds` and `ts`; default: now, in UTC."),
)

CONNECTION = _together(
    click.option("--region", metavar="REGION", help="AWS region, instead of the target's."),
    click.option("--profile", metavar="PROFILE", help="AWS profile, instead of the target's."),
    click.option("--endpoint-url", metavar="URL", help="Send EMR and S3 calls here, instead of AWS."),
)

WATCHING = _together(
    click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop watching after this long."),
    click.option(
        "--on-interrupt",
        type=click.Choice(["detach", "cancel", "terminate"]),
        default="detach",
        show_default=True,
        help="What Ctrl-C does to the run: leave it running, cancel its steps, terminate its cluster.",
    ),
)


def output_format(*choices: str) -> Callable[[Command], Command]:
    """`--format`; the first choice is the default."""
    return click.option("--format", "format_", type=click.Choice(choices), default=choices[0], show_default=True)


def rendered(
    spec: Path,
    *,
    target: str | None,
    assignments: tuple[str, ...],
    variable_files: tuple[Path, ...],
    date: datetime | None,
) -> Document:
    """Loads and renders a spec as the options say."""
    from flowspec.spec import load, render

    now = date.replace(tzinfo=timezone.utc) if date else None
    return render(load(spec), target=target, variables=_pairs(assignments), variable_files=variable_files, now=now)


def job_flow(spec: Path, **options: Any) -> JobFlow:
    """Loads, renders and validates a spec; the connection options override its target's."""
    from flowspec.spec import validate

    connection = {name: options.pop(name, None) for name in ("region", "profile", "endpoint_url")}
    flow = validate(rendered(spec, **options))
    return replace(flow, **{name: value for name, value in connection.items() if value})


def endpoint(flow: JobFlow, *, run_bootstrap: bool = False) -> Endpoint:
    """The EMR that a job flow's target speaks of."""
    from flowspec.emr.client import Endpoint

    return Endpoint(flow.backend, flow.region, flow.profile, flow.endpoint_url, run_bootstrap)


def _pairs(assignments: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise click.BadParameter(f"{assignment!r} has no '=': write --var {assignment}=VALUE", param_hint="--var")
        pairs[name] = value
    return pairs
