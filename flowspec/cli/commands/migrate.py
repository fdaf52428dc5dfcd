"""`flowspec migrate`: runs a boto script with AWS faked and writes a spec for each job flow it launches."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.confirm import is_answered_yes
from flowspec.cli.drafts import print_notes, write_whole
from flowspec.cli.exits import Exit
from flowspec.cli.options import Name, NonEmptyPath
from flowspec.cli.output import Level, eprint, ewarn, print_result
from flowspec.document.escaping import visible
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.importers.migrate.running import HandlerCall, Run
    from flowspec.importers.placeholders import Wanted


# The suffixes of files that `flowspec import` takes.
_NO_PYTHON = (".sh", ".bash", ".json", ".tf", ".yaml", ".yml", ".conf")


@click.command("migrate", epilog="Example: flowspec migrate launch.py -o jobs -- --date 2024-01-01")
@click.argument("script", type=Name())
@click.argument("args", nargs=-1)
@click.option("-m", "--module", is_flag=True, help="SCRIPT is the name of a module or package.")
@click.option(
    "--handler", metavar="NAME", help="Import SCRIPT as AWS Lambda does, and call its function NAME(event, context)."
)
@click.option(
    "--event",
    metavar="FILE",
    type=NonEmptyPath(exists=True, dir_okay=False, path_type=Path),
    help="JSON of the event for the handler; without it, the event is {}.",
)
@click.option(
    "--answer",
    metavar="FILE",
    type=NonEmptyPath(exists=True, dir_okay=False, path_type=Path),
    help="JSON with the contents of S3 objects (by s3://BUCKET/KEY), secrets and parameters (by name).",
)
@click.option(
    "-o",
    "--output",
    default=".",
    metavar="DIR",
    type=NonEmptyPath(path_type=Path),
    help="Folder for the specs; no file is replaced.",
)
@click.option("--yes", is_flag=True, help="Run the script without asking.")
@click.option("--keep-secrets", is_flag=True, help="Leave passwords and keys in the specs, instead of variables.")
def command(
    *,
    script: str,
    args: tuple[str, ...],
    module: bool,
    handler: str | None,
    event: Path | None,
    answer: Path | None,
    output: Path,
    yes: bool,
    keep_secrets: bool,
) -> int:
    """Run a boto 2 or boto3 script with AWS faked, and write a spec for each job flow it would launch.

    The script is executed, with the arguments after `--`. Calls to AWS from its own process are answered here.
    If Linux allows it, the script has no network; else only connections of its own process are refused. All else
    that it does (files, other programs) really happens. Its environment has no AWS credentials, tokens or passwords.
    """
    from flowspec.importers.migrate.folding import job_flows
    from flowspec.importers.migrate.running import run

    if not module and not Path(script).is_file():
        raise click.UsageError(f"there is no file {script}; if it is the name of a module, add -m")
    if not module and Path(script).suffix in _NO_PYTHON:
        raise click.UsageError(
            f"{script} is not a Python script: `flowspec import {shlex.quote(script)}` reads such files"
        )
    answers = _read_answers(answer) if answer else {}
    if handler and (module or args):
        raise click.UsageError("--handler calls a function with an event: leave out -m and the arguments")
    handler_call = _handler_call(handler, event)
    _ask_to_run(script, yes)
    output.mkdir(parents=True, exist_ok=True)
    done = run(script, args, module=module, handler_call=handler_call, answers=answers)
    found = job_flows(done.calls)
    failed = [wanted for wanted in found if not _write_spec(wanted, script, output, keep_secrets)]
    if not found:
        ended = f" and ended with {done.code}" if done.code else ""
        eprint(f"error: {script} launched no job flow{ended}", level=Level.ERROR)
        _print_reasons(done, script, handler_call)
    elif done.code:
        eprint(f"error: {script} ended with {done.code}; what it asked for up to there is written", level=Level.ERROR)
    if done.code is None:
        return Exit.INTERRUPTED
    return Exit.OK if found and not failed and not done.code else Exit.ERROR


def _handler_call(handler: str | None, event: Path | None) -> HandlerCall | None:
    from flowspec.importers.migrate.running import HandlerCall

    if not handler:
        if event:
            raise click.UsageError("--event needs --handler, which names the function that gets the event")
        return None
    return HandlerCall(handler, json.dumps(_read_json("--event", event)) if event else "{}")


def _print_reasons(done: Run, script: str, handler_call: HandlerCall | None) -> None:
    from flowspec.importers.migrate.folding import reasons

    known = list(reasons(done.calls))
    for reason, remedy in known:
        eprint(f"  {reason}: {remedy}", level=Level.ERROR)
    for hint in () if known else _hints(script, handler_call):
        eprint(f"  {hint}", level=Level.ERROR)


def _hints(script: str, handler_call: HandlerCall | None) -> tuple[str, ...]:
    """Returns what may help if nothing is known of why a script launched nothing."""
    command = f"flowspec migrate {shlex.quote(script)}"
    if handler_call:
        given = f"{command} --handler {handler_call.handler} --event event.json"
        return (f"does it need another function, or an event? Give them, as in: {given}",)
    return (
        f"does it need arguments? Give them after --, as in: {command} -- --date 2024-01-01",
        f"is it an AWS Lambda function? Name its handler: {command} --handler lambda_handler",
    )


def _read_json(option: str, file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.UsageError(f"{option} {file}: {error}") from error


def _read_answers(file: Path) -> dict[str, str]:
    given = _read_json("--answer", file)
    if not isinstance(given, dict):
        raise click.UsageError(
            f'--answer {file}: an object is wanted, as in {{"s3://bucket/key": "text", "secret": …}}'
        )
    # A secret or an S3 object is mostly JSON: it may be written as such.
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _ask_to_run(script: str, yes: bool) -> None:
    from flowspec.importers.migrate.running import isolated

    reach = "it has no network" if isolated() else "connections of its own process are refused, those of others are not"
    if not yes and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(f"running {script} has to be allowed: add --yes")
    ewarn(f"{script} is executed, with all it does; its calls to AWS are answered by a fake, and {reach}")
    if not (yes or is_answered_yes("Run it?")):
        raise click.Abort


def _write_spec(wanted: Wanted, script: str, output: Path, keep_secrets: bool) -> bool:
    from flowspec.importers.decompile.draft import write_spec

    try:
        made = write_spec(wanted, folder=output, origin=Path(script).name, by="migrate", keep_secrets=keep_secrets)
    except FlowspecError as error:
        eprint(f"error: the job flow {str(wanted.params.get('Name'))[:80]!r}: {error.message}", level=Level.ERROR)
        return False
    path = _unused_path(str(wanted.params.get("Name", "")), output)
    write_whole(path, made.text)
    print_result(visible(str(path)))
    print_notes(made, wanted.notes)
    return True


def _unused_path(name: str, folder: Path) -> Path:
    """Returns a file of the flow's name that is not there yet."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "job-flow"
    number = 1
    path = folder / f"{stem}.yaml"
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{stem}-{number}.yaml"
    return path
