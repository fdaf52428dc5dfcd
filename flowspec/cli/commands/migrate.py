"""`flowspec migrate`: runs a boto script with AWS faked and writes a spec for each job flow it launches."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.drafts import print_notes, write_whole
from flowspec.cli.exits import Exit
from flowspec.cli.output import eprint, print_result
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.importers.decompile.placeholders import Wanted
    from flowspec.importers.migrate.running import Run


@click.command("migrate", epilog="Example: flowspec migrate launch.py -o jobs -- --date 2024-01-01")
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("args", nargs=-1)
@click.option("-o", "--output", default=".", metavar="DIR", type=click.Path(path_type=Path), help="Where the specs go.")
@click.option("--yes", is_flag=True, help="Run the script without asking.")
@click.option("--keep-secrets", is_flag=True, help="Leave passwords and keys in the specs, instead of variables.")
def command(script: Path, args: tuple[str, ...], output: Path, yes: bool, keep_secrets: bool) -> int:
    """Run a boto 2 or boto3 script, send nothing, and write a spec for each job flow it would launch.

    The script is executed, with the arguments after `--`. All that it asks AWS for in its own process is answered by
    a fake, and other connections are refused; what else it does (files, other programs) it does.
    """
    from flowspec.importers.migrate.folding import job_flows
    from flowspec.importers.migrate.running import run

    _ask(script, yes)
    output.mkdir(parents=True, exist_ok=True)
    done = run(script, args)
    found = job_flows(done.calls)
    failed = [wanted for wanted in found if not _write_spec(wanted, script, output, keep_secrets)]
    if not found:
        eprint(f"error: {script} launched no job flow")
        eprint("  does it need arguments? Give them after --, as in: flowspec migrate launch.py -- --date 2024-01-01")
    return _exit(done, script, bool(found) and not failed)


def _ask(script: Path, yes: bool) -> None:
    eprint(f"{script} is executed now, with all it does; its calls to AWS are answered by a fake, and nothing is sent")
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"running {script} has to be allowed: add --yes")
    click.confirm("Run it?", abort=True, err=True)


def _exit(done: Run, script: Path, complete: bool) -> Exit:
    if done.code is None:
        return Exit.INTERRUPTED
    if done.code:
        eprint(f"error: {script} ended with {done.code}; what it asked for up to there is written")
    return Exit.OK if complete and not done.code else Exit.ERROR


def _write_spec(wanted: Wanted, script: Path, output: Path, keep_secrets: bool) -> bool:
    from flowspec.importers.decompile.draft import write_spec

    try:
        made = write_spec(wanted, folder=output, origin=script.name, by="migrate", keep_secrets=keep_secrets)
    except FlowspecError as error:
        eprint(f"error: the job flow {str(wanted.params.get('Name'))[:80]!r}: {error.message}")
        return False
    path = _path(str(wanted.params.get("Name", "")), output)
    write_whole(path, made.text)
    print_result(str(path))
    print_notes(made, wanted.notes)
    return True


def _path(name: str, folder: Path) -> Path:
    """A file of the flow's name that is not there yet."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "job-flow"
    number = 1
    path = folder / f"{stem}.yaml"
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{stem}-{number}.yaml"
    return path
