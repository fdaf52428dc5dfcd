"""Writes the files that commands produce. Drafts, which people go on to edit, are those of `import` and `export`.

A draft replaces a file only with --force. What each run writes again (a report, a saved plan, JUnit XML) replaces its
file, as Terraform's `plan -out` and pytest's `--junitxml` do; the help of its option says so. But no spec is replaced.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowspec.cli.options import NonEmptyPath
from flowspec.cli.output import ewarn, print_result
from flowspec.document.discovery import SPEC_SUFFIXES, is_spec
from flowspec.errors import FlowspecError
from flowspec.facts.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowspec.importers.decompile.draft import Decompiled

Command = TypeVar("Command", bound="Callable[..., Any]")


def draft_option(metavar: str, help_: str) -> Callable[[Command], Command]:
    """Returns the option `-o` of a command that writes a draft, or prints it for `-`."""
    kind = NonEmptyPath(path_type=Path, dir_okay=False, readable=False, allow_dash=True)
    return click.option("-o", "--output", type=kind, metavar=metavar, help=help_)


def draft_file(output: Path | None, *, force: bool) -> Path | None:
    """Returns the file for a draft, None for stdout, as `-` is. Raises UsageError when it exists, unless `force`."""
    if output is None or str(output) == "-":
        return None
    if output.is_file() and not force:  # a device or a pipe is not replaced
        raise click.UsageError(f"{output} exists: write another file with -o, or replace it with --force")
    return output


def refuse_spec(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """Returns the file of an option for what each run writes again. Raises BadParameter when it is a spec."""
    # Behind a link, the file that it points to is replaced.
    names_spec = value and {value.suffix, Path(os.path.realpath(value)).suffix} & set(SPEC_SUFFIXES)
    if value and names_spec and value.is_file() and is_spec(value):
        raise click.BadParameter(f"{value} is a spec, which would be lost: name another file")
    return value


def write_draft(file: Path | None, text: str) -> None:
    """Writes a draft into its file, or prints it for None, as `draft_file` returns them."""
    if file:
        write_whole(file, text)
    else:
        print_result(text, newline=False)


def check_folder(path: Path) -> None:
    """Raises FlowspecError when the folder of a file that is going to be written is not there."""
    if not path.parent.exists():
        folder = shlex.quote(str(path.parent))
        raise FlowspecError(f"{path}: its folder is not there", remedy=f"make it: mkdir -p {folder}")


def write_whole(path: Path, text: str) -> None:
    """Writes the whole file or none of it (`replace_file`), behind a link, too.

    What can't be replaced is written to: a device, a pipe, a file in a folder that may not be changed. Raises OSError
    with the path as it was given, and FlowspecError when its folder is not there.
    """
    try:
        file = Path(os.path.realpath(path))  # unlike `resolve` it takes links in a circle
        if path.exists() and not (path.is_file() and os.access(file.parent, os.W_OK)):
            path.write_text(text, "utf-8")
        else:
            replace_file(file, text.encode())
    except OSError as error:
        check_folder(path)
        # The name of the temporary file means nothing to users, and a full disk comes without any.
        raise OSError(error.errno, error.strerror, str(path)) from error


def print_notes(made: Decompiled, notes: Sequence[str]) -> None:
    """Prints on stderr which secrets became variables, and what is left in `api_params` or could not be read."""
    for note in (*notes, *made.uploads):
        ewarn(f"warning: {note}")
    for name, places in made.places.items():
        ewarn(f"note: a secret at {', '.join(places)} became the variable {name}")
    if made.places:
        ways = f"--var {next(iter(made.places))}=…, a FLOWSPEC_VAR_ variable or --var-file"
        ewarn(f"      give their values with {ways}; `flowspec compile --reveal` shows the whole request")
    for member, reason in made.leftover.items():
        ewarn(f"note: {member} is in api_params: {reason}")
