"""`flowspec init`: writes a first spec with its programs, sample data and a test."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from flowspec.cli.confirm import can_ask, end_line_when_interrupted
from flowspec.cli.exits import Exit
from flowspec.cli.options import Choice, NonEmptyPath, output_format
from flowspec.cli.output import ewarn, print_json, print_result
from flowspec.facts.uris import BUCKET_NAME
from flowspec.scaffold.starters import (
    NAME,
    REGION,
    SAMPLE_BUCKET,
    STARTERS,
    existing_files,
    starter_files,
    write_starter,
)


@click.command("init", epilog="Example: flowspec init wordcount --template streaming")
@click.argument("folder", default=".", type=NonEmptyPath(path_type=Path, file_okay=False))
@click.option("--template", type=Choice(tuple(STARTERS)), help="The kind of flow.")
@click.option("--name", metavar="NAME", help="Name of the flow; default: the folder's.")
@click.option("--region", metavar="REGION", help="AWS region of the target prod; default: AWS_REGION, else us-east-1.")
@click.option("--bucket", metavar="BUCKET", help="S3 bucket of the target prod, for its files, data and logs.")
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes them by name
    folder: Path, template: str | None, name: str | None, region: str | None, bucket: str | None, format_: str
) -> int:
    """Write a first spec that runs on this machine and on EMR, with sample data and a test.

    On a terminal, missing options are asked for; elsewhere --template is required. No file is ever overwritten.
    """
    from flowspec.facts import releases

    if template is None and not can_ask():
        known = "\n".join(f"  {one:<11} {starter.summary}" for one, starter in STARTERS.items())
        raise click.UsageError(f"choose a template with --template:\n{known}")
    template = template or _chosen_template()
    values = {
        "NAME": _option_or_answer("--name", name, _flow_name_of(folder), "Name of the flow"),
        "REGION": _option_or_answer("--region", region, _region(), "AWS region"),
        "BUCKET": _option_or_answer("--bucket", bucket, SAMPLE_BUCKET, "S3 bucket"),
        "RELEASE": releases.newest(),
    }
    files = starter_files(template, values)
    if existing := existing_files(folder, files):
        raise click.UsageError(
            f"{folder} has {', '.join(existing)} already: name another folder, as in flowspec init FOLDER"
        )
    write_starter(folder, files)
    steps = list(_next_commands(folder, template))
    if format_ == "json":
        print_json({"template": template, "folder": str(folder), "files": [*files], "next": steps})
        return Exit.OK
    print_result("\n".join(f"wrote {folder / path}" for path in files))
    print_result("\n".join(["", "next:", *(f"  {line}" for line in steps)]))
    if values["BUCKET"] == SAMPLE_BUCKET:
        ewarn(f"note: put a bucket of yours in place of {SAMPLE_BUCKET} before you apply the target prod")
    return Exit.OK


def _next_commands(folder: Path, template: str) -> Iterator[str]:
    from flowspec.engines.jvm import find_spark

    specs = STARTERS[template].specs
    if not folder.samefile(Path.cwd()):
        yield f"cd {shlex.quote(str(folder))}"
    if template == "spark" and find_spark() is None:
        yield "pip install pyspark"
    yield f"flowspec validate --all-targets {' '.join(specs)}"
    yield "flowspec test"
    yield f"flowspec apply {specs[0]}"
    yield f"flowspec doctor {specs[0]} --target prod"


def _chosen_template() -> str:
    for one, starter in STARTERS.items():
        click.echo(f"{one:<11} {starter.summary}", err=True)
    with end_line_when_interrupted():
        return str(click.prompt("Template", type=Choice(tuple(STARTERS)), default="streaming", err=True))


_ALLOWED = {
    "--name": (NAME, "give a letter, and then at most 99 letters, digits, '.', '_' or '-'"),
    "--region": (REGION, "give the code of a region, such as us-east-1"),
    "--bucket": (
        BUCKET_NAME,
        "give 3 to 63 lower-case letters, digits, '-' or single '.'; a letter or digit at both ends",
    ),
}


def _option_or_answer(option: str, given: str | None, default: str, question: str) -> str:
    """Returns the option's value, else what is answered on a terminal, else the default."""
    check = _make_check(option)
    if given is not None:
        return check(given)
    if not can_ask():
        return default
    with end_line_when_interrupted():
        return str(click.prompt(question, default=default, value_proc=check, err=True))


def _make_check(option: str) -> Callable[[str], str]:
    pattern, allowed = _ALLOWED[option]

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not allowed: {allowed}", param_hint=option)
        return value

    return check


def _flow_name_of(folder: Path) -> str:
    """Returns a name for a flow from the folder's name."""
    found = re.sub(r"[^A-Za-z0-9._-]+|^[^A-Za-z]+", "-", Path(os.path.realpath(folder)).name).strip("-")
    return found if NAME.fullmatch(found) else "first-flow"


def _region() -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    return region if REGION.fullmatch(region) else "us-east-1"
