"""`flowspec import`: a RunJobFlow request becomes a spec. Needs nobody: no socket, no credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import result, say

if TYPE_CHECKING:
    from flowspec.request.decompile import Decompiled

_LARGEST = 10_000_000


@click.command("import", epilog="Example: flowspec import --request request.json -o job.yaml")
@click.option("--request", "request", required=True, metavar="FILE", help="The request, as JSON; - reads stdin.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="SPEC", help="Write the spec here; default: stdout."
)
@click.option("--keep-secrets", is_flag=True, help="Leave passwords and keys in the spec, instead of variables.")
def import_(request: str, output: Path | None, keep_secrets: bool) -> int:
    """Turn a RunJobFlow request (boto3's run_job_flow parameters) into a spec that compiles to the same request."""
    from flowspec.request.decompile import decompile, read

    name = "<stdin>" if request == "-" else request
    params = read(name, _content(request))
    folder = output.parent if output else Path()
    made = decompile(params, folder=folder, origin=Path(name).name, keep_secrets=keep_secrets)
    if output:
        _write(output, made.text)
    else:
        result(made.text, newline=False)
    _tell(made)
    return Exit.OK


def _content(request: str) -> bytes:
    if request == "-":
        data = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        path = Path(request)
        if path.is_dir():
            raise click.BadParameter(f"{request} is a directory, a file is wanted", param_hint="--request")
        if not path.exists():
            raise click.BadParameter(f"there is no file {request}", param_hint="--request")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise click.BadParameter(f"the request is larger than {_LARGEST // 1_000_000} MB", param_hint="--request")
    return data


def _write(path: Path, text: str) -> None:
    """Writes the whole file or none of it; a spec may hold secrets only its owner should read."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _tell(made: Decompiled) -> None:
    for name, places in made.places.items():
        say(f"note: a secret at {', '.join(places)} became the variable {name}")
    if made.places:
        ways = f"--var {next(iter(made.places))}=…, a FLOWSPEC_VAR_ variable or --var-file"
        say(f"      give their values with {ways}; `flowspec compile --reveal` shows the whole request")
    for member, reason in made.leftover.items():
        say(f"note: {member} is in api_params: {reason}")
