"""`flowspec fmt`: formats specs in one style."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import click

from flowspec.cli import print_error
from flowspec.cli.drafts import write_whole
from flowspec.cli.exits import Exit, worst
from flowspec.cli.options import SPEC_PATH, output_format
from flowspec.cli.output import eprint, print_json, print_result
from flowspec.document.discovery import find_specs
from flowspec.document.escaping import visible
from flowspec.errors import FlowspecError


@click.command("fmt", epilog="Example: flowspec fmt --check jobs/")
@click.argument("paths", nargs=-1, required=True, type=SPEC_PATH, metavar="PATH...")
@click.option("--check", is_flag=True, help="Change nothing; exit with 3 when a file would change.")
@click.option("--diff", is_flag=True, help="Print what would change, and change nothing.")
@output_format("text", "json")
def command(paths: tuple[Path, ...], check: bool, diff: bool, format_: str) -> int:
    """Format specs in one style: order of keys, quotes, indentation and blank lines. Comments are kept.

    PATH is a file, a folder (the specs in it and below it) or a glob. The meaning of a spec is never changed: a file
    that can't be formatted without a change of meaning is left as it is, and is an error.
    """
    changed: list[dict[str, str]] = []
    code = Exit.OK
    for path in find_specs(paths):
        try:
            before, after = _read_and_format(path)
            if before != after and not (check or diff):
                write_whole(path, after)
        except (FlowspecError, OSError) as error:
            code = worst((code, print_error(error)))
            continue
        if before == after:
            continue
        name = visible(str(path))
        lines = unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (formatted)", lineterm="")
        changed.append({"file": str(path), **({"diff": "\n".join(lines)} if diff else {})})
        if format_ == "text":
            print_result(changed[-1].get("diff", name if check else f"formatted {name}"))
    if format_ == "json":
        print_json({"changed": changed})
    if changed and (check or diff):
        eprint(f"{len(changed)} to format")
        return code or Exit.CHANGES
    return code


def _read_and_format(path: Path) -> tuple[str, str]:
    from flowspec.document.text.formatting import format_text
    from flowspec.document.text.parse import read

    source = read(path)
    # As it is on the disk: `read` drops a byte order mark, and another end of lines is a change, too.
    return path.read_bytes().decode("utf-8"), format_text(source)
