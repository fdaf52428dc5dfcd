"""`flowspec import`: what people have today becomes a spec. Needs nobody: no socket, no credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import result, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowspec.importers.decompile.draft import Decompiled

_LARGEST = 10_000_000
_KINDS = ("request", "aws-cli", "cloudformation", "terraform")


@click.command("import", epilog="Example: flowspec import create-cluster.sh -o job.yaml")
@click.argument("file", required=False)
@click.option("--request", metavar="FILE", help="FILE is a request: the same as --from request FILE.")
@click.option("--from", "kind", type=click.Choice(_KINDS), help="What FILE is; default: what it looks like.")
@click.option(
    "--cluster", default="", metavar="NAME", help="The cluster meant, where FILE has several: name or number."
)
@click.option(
    "--var", "settings", multiple=True, metavar="NAME=VALUE", help="Set a variable of Terraform's, or a parameter."
)
@click.option(
    "--var-file",
    "var_files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Read variables or parameters as Terraform and CloudFormation do.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="SPEC", help="Write the spec here; default: stdout."
)
@click.option("--keep-secrets", is_flag=True, help="Leave passwords and keys in the spec, instead of variables.")
def import_(  # noqa: PLR0917 - click passes them by name
    file: str | None,
    request: str | None,
    kind: str | None,
    cluster: str,
    settings: tuple[str, ...],
    var_files: tuple[Path, ...],
    output: Path | None,
    keep_secrets: bool,
) -> int:
    """Turn what you have into a spec that compiles to the same request.

    FILE (- for stdin) is a RunJobFlow request as JSON (boto3's run_job_flow parameters), a script with an
    `aws emr create-cluster` command, a CloudFormation template, or a Terraform file or folder. Nothing of it
    is run, and nobody is asked.
    """
    from flowspec.importers.decompile.draft import decompile
    from flowspec.importers.sources import read

    file, kind = _meant(file, request, kind)
    name = "<stdin>" if file == "-" else file
    folder = Path() if file == "-" else Path(file) if Path(file).is_dir() else Path(file).parent
    data = _content(file)
    wanted = read(name, data, kind=kind, folder=folder, cluster=cluster, var_files=var_files, settings=settings)
    here = output.parent if output else Path()
    made = decompile(wanted, folder=here, origin=Path(name).resolve().name, keep_secrets=keep_secrets)
    if output:
        write(output, made.text)
    else:
        result(made.text, newline=False)
    tell(made, wanted.notes)
    return Exit.OK


def _meant(file: str | None, request: str | None, kind: str | None) -> tuple[str, str]:
    """The file to read and its kind; "" is for recognising it."""
    if (file is None) == (request is None):
        raise click.UsageError("name one FILE to import")
    if request is not None and kind not in (None, "request"):
        raise click.UsageError(f"--request and --from {kind} exclude each other")
    return (request, "request") if request is not None else (str(file), kind or "")


def _content(file: str) -> bytes:
    if file == "-":
        data = sys.stdin.buffer.read(_LARGEST + 1)
    elif Path(file).is_dir():
        from flowspec.importers.terraform.module import is_module

        if not is_module(Path(file)):
            raise click.BadParameter(f"{file} is a directory, a file is wanted", param_hint="FILE")
        return b""
    else:
        path = Path(file)
        if not path.exists():
            raise click.BadParameter(f"there is no file {file}", param_hint="FILE")
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise click.BadParameter(f"{file} is larger than {_LARGEST // 1_000_000} MB", param_hint="FILE")
    return data


def write(path: Path, text: str) -> None:
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


def tell(made: Decompiled, notes: Sequence[str] = ()) -> None:
    """Says on stderr what became of secrets, and what is not said in the spec's own words."""
    for note in notes:
        say(f"warning: {note}")
    for name, places in made.places.items():
        say(f"note: a secret at {', '.join(places)} became the variable {name}")
    if made.places:
        ways = f"--var {next(iter(made.places))}=…, a FLOWSPEC_VAR_ variable or --var-file"
        say(f"      give their values with {ways}; `flowspec compile --reveal` shows the whole request")
    for member, reason in made.leftover.items():
        say(f"note: {member} is in api_params: {reason}")
