"""Finds specs: those that arguments name (files, folders and globs), and those below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import has_magic
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG

from flowspec.errors import NothingFound

SPEC_SUFFIXES = (".yaml", ".yml")
# A spec has the key `flowspec` at the beginning of a line; other YAML files of a folder (cases, variables, CI) do not.
# A byte order mark may come first, and in UTF-16 every second byte is zero.
_SPEC = re.compile(rb"^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(flowspec|\"flowspec\"|'flowspec')\s*:", re.MULTILINE)

# At the beginning of a line it is the key of the spec.
_EXTENDS = re.compile(r"^extends:[ \t]*([\"']?)([\w./+-]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)
_FLOW_NAME = re.compile(r"^(name|\"name\"|'name')\s*:", re.MULTILINE)


def find_specs(arguments: Sequence[Path]) -> list[Path]:
    """Returns the specs that arguments name, in their order and by name within a folder.

    A file is taken as it is. In a folder, and what is below it, YAML files with the key `flowspec` are specs; folders
    whose name begins with a dot, and links to folders, are left out. A file that several arguments or links name is
    returned once. Raises NothingFound when an argument names none.
    """
    return list(_specs_by_real_path(arguments).values())


def find_flows(arguments: Sequence[Path]) -> list[Path]:
    """Returns the specs that arguments name, without base files: specs with no name that another of them extends.

    Specs that extend each other in a circle are not base files. Raises NothingFound as `find_specs` does.
    """
    return list(_Specs(_specs_by_real_path(arguments)).flows().values())


def find_flows_to_check(arguments: Sequence[Path]) -> list[Path]:
    """Returns the flows that arguments name; for a base file of none of these, those of its repository that extend it.

    If a commit changes only a base file, a pre-commit hook names only that file; its errors appear only in the flows
    that extend it. Raises NothingFound as `find_specs` does.
    """
    # Not at the top: it imports the code that reads specs, which completion and --help do not need.
    from flowspec.document.text.parse import tree_of

    given = _Specs(_specs_by_real_path(arguments))
    found: dict[str, Path] = {}
    trees: dict[Path, _Specs] = {}
    for real, spec in given.flows().items():
        flows = {}
        if real in given.nameless:
            tree = tree_of(spec)
            if tree not in trees:
                # Findings name the flows as the arguments name the base file.
                below = specs_below(tree if spec.is_absolute() else Path(os.path.relpath(tree)))
                trees[tree] = _Specs(_by_real_path(below))
            flows = trees[tree].built_on(real)
        for one in (flows or {real: spec}).items():
            found.setdefault(*one)
    return list(found.values())


def _specs_by_real_path(arguments: Sequence[Path]) -> dict[str, Path]:
    """Returns the specs of `find_specs` by their real paths. Finding one takes as long as reading a small file."""
    named: list[Path] = []
    for argument in arguments:
        specs = list(_expand_argument(argument))
        if not specs:
            raise NothingFound(
                f"{argument}: no spec there", remedy="a spec is a .yaml file that begins with `flowspec: v1`"
            )
        named += specs
    return _by_real_path(named)


def _by_real_path(specs: Iterable[Path]) -> dict[str, Path]:
    """Returns specs by their real paths; if one file has several names, the first is used."""
    found: dict[str, Path] = {}
    for spec in specs:
        found.setdefault(os.path.realpath(spec), spec)
    return found


class _Specs:
    """Specs by their real paths, and the base files that their texts name. `nameless` are those without a name."""

    def __init__(self, specs: Mapping[str, Path]) -> None:
        self._specs = specs
        texts = {real: _read_text(spec) for real, spec in specs.items()}
        self._bases = {
            real: os.path.realpath(specs[real].parent / base)
            for real, text in texts.items()
            if (base := base_named_in(text))
        }
        self.nameless = {real for real, text in texts.items() if text and not _FLOW_NAME.search(text)}

    def flows(self) -> dict[str, Path]:
        """Returns those that are no base files of others."""
        flows = self._specs.keys() - (self.nameless & {*self._bases.values()})
        left_out = {base for real in flows for base in self._bases_of(real)} & self.nameless
        return {real: spec for real, spec in self._specs.items() if real not in left_out}

    def built_on(self, base: str) -> dict[str, Path]:
        """Returns the flows that extend a file directly, or through other files."""
        return {real: spec for real, spec in self.flows().items() if base in self._bases_of(real)}

    def _bases_of(self, real: str) -> set[str]:
        found: set[str] = set()
        while (real := self._bases.get(real, "")) and real not in found:
            found.add(real)
        return found


def base_named_in(text: str) -> str:
    """Returns the base file that the text of a spec names; "" for none, or if only a parser can find it."""
    found = _EXTENDS.findall(text)
    return found[0][1] if len(found) == 1 else ""


def _read_text(spec: Path) -> str:
    try:
        return spec.read_text("utf-8", "replace") if S_ISREG(spec.stat().st_mode) else ""
    except OSError:
        return ""


def _expand_argument(argument: Path) -> Iterator[Path]:
    if argument.is_dir():
        yield from specs_below(argument)
    elif has_magic(str(argument)) and not argument.exists():
        for path in matches(argument):
            if path.is_dir():
                yield from specs_below(path)
            elif is_spec(path):
                yield path
    else:
        yield argument


def matches(pattern: Path) -> Iterator[Path]:
    """Yields the files and folders that match a glob, by name; `**` follows no links, since links may form loops.

    As in a shell, names that begin with a dot match only a pattern that begins with a dot there. Yields nothing for a
    path that is not a glob.
    """
    # `**` as a part of a name is `*` in a shell, and refused by pathlib.
    parts = [part if part == "**" else re.sub(r"\*\*+", "*", part) for part in pattern.parts]
    fixed = list(takewhile(lambda part: not has_magic(part), parts))
    rest = parts[len(fixed) :]
    dots = any(part.startswith(".") for part in rest)
    # From Python 3.13 on, a pattern that ends with `**` gives files and links, too.
    only_folders = rest[-1:] == ["**"]
    for path in sorted(Path(*fixed).glob(str(Path(*rest)))) if rest else ():
        if only_folders and (path.is_symlink() or not path.is_dir()):
            continue
        if dots or not any(part.startswith(".") for part in path.parts[len(fixed) :]):
            yield path


def specs_below(folder: Path) -> Iterator[Path]:
    """Yields the specs in a folder and below it, by name."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name) for name in sorted(files) if name.endswith(SPEC_SUFFIXES))
        yield from (path for path in paths if is_spec(path))


def is_spec(path: Path) -> bool:
    """Returns True if a YAML file is a spec.

    Also True for a file that can't be read, so that a command reports the reason.
    """
    try:
        # Opening a pipe would wait for its writer.
        if not S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return bool(_SPEC.search(file.read(_HEAD).replace(b"\0", b"")))
    except OSError:
        return True


# Comments and a description may come first; the whole of a large file of another kind need not be read.
_HEAD = 100_000
