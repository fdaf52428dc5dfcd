"""Finds specs: those that arguments name (files, folders and globs), and those below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from flowspec.errors import FlowspecError

_SUFFIXES = (".yaml", ".yml")
# A spec says its format at the beginning of a line; other YAML files of a folder (cases, variables, CI) do not.
_SPEC = re.compile(rb"^(flowspec|\"flowspec\"|'flowspec')\s*:", re.MULTILINE)


def find_specs(arguments: Sequence[Path]) -> list[Path]:
    """Returns the specs that arguments name, each once, in their order and by name within a folder.

    A file is taken as it is. In a folder, and what is below it, YAML files with the key `flowspec` are specs; folders
    whose name begins with a dot, and links to folders, are left out. Raises FlowspecError when an argument names none.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        specs = list(_named(argument))
        if not specs:
            raise FlowspecError(
                f"{argument}: no spec there", remedy="a spec is a .yaml file that begins with `flowspec: v1`"
            )
        found.update(dict.fromkeys(specs))
    return list(found)


def _named(argument: Path) -> Iterator[Path]:
    if argument.is_dir():
        yield from specs_below(argument)
    elif has_magic(str(argument)) and not argument.exists():
        for name in sorted(glob(str(argument), recursive=True)):  # noqa: PTH207 - the pattern may be absolute
            path = Path(name)
            if path.is_dir():
                yield from specs_below(path)
            elif is_spec(path):
                yield path
    else:
        yield argument


def specs_below(folder: Path) -> Iterator[Path]:
    """Yields the specs in a folder and below it, by name."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name) for name in sorted(files) if name.endswith(_SUFFIXES))
        yield from (path for path in paths if is_spec(path))


def is_spec(path: Path) -> bool:
    """True if a YAML file says that it is a spec. One that can't be read is, so that a command says why it can't."""
    try:
        with path.open("rb") as file:
            return bool(_SPEC.search(file.read(_HEAD)))
    except OSError:
        return True


# Comments and a description may come first; the whole of a large file of another kind need not be read.
_HEAD = 100_000
