"""Chooses the specs that the changed files of a revision may touch: only those are compiled and compared."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

from flowspec.document.discovery import base_named_in
from flowspec.document.rendering.extends import MAX_CHAIN
from flowspec.request.archives import IGNORE_FILE
from flowspec.review.mentions import Mentions, Names, plain_names

_SETTINGS = frozenset({"flowspec.toml", "pyproject.toml"})
_REQUIREMENTS = re.compile(r"\brequirements\b")


class Touched:
    """Judges the specs of a revision, whose files are at `root`, by the paths that differ from an earlier one.

    `links` are the symbolic links of both. Variables may name files, too: their `values`, from the command line and the
    environment, and those in `variable_files`, as this revision has them. Other paths are relative to the root.
    """

    def __init__(
        self,
        root: Path,
        changed: Collection[str],
        links: Collection[str],
        values: Iterable[str] = (),
        variable_files: Iterable[Path] = (),
    ) -> None:
        self._root = root
        self._changed = {*changed, *(link for link in links if self._leads_to_changed(link, changed))}
        self._names = Names.of(self._changed)
        self._settings = [PurePosixPath(path).parent for path in changed if PurePosixPath(path).name in _SETTINGS]
        self._mentions = cache(lambda path: _mentions(root, path))
        self._all = (
            # Below a link that leads elsewhere now, files differ that are not changed themselves.
            not set(links).isdisjoint(changed)
            or any(not self._names.files.isdisjoint(plain_names(value)) for value in values)
            or any(self._is_touched(os.path.relpath(file, root)) for file in variable_files)
        )

    def _leads_to_changed(self, link: str, changed: Collection[str]) -> bool:
        target = os.path.realpath(self._root / link)
        return any(Path(self._root, path).is_relative_to(target) for path in changed)

    def concerns(self, spec: str) -> bool:
        """Returns True if a spec may differ, because of its file or of one that it names or extends."""
        if self._all or any(PurePosixPath(spec).is_relative_to(folder) for folder in self._settings):
            return True
        return any(self._is_touched(path) for path in _spec_with_bases(self._root, spec))

    def _is_touched(self, path: str) -> bool:
        mentions = self._mentions(path)
        return (
            path in self._changed
            or mentions.includes(self._names)
            or (mentions.packs and IGNORE_FILE in self._names.files)
        )


def bases(root: Path, specs: Sequence[str]) -> set[str]:
    """Returns the paths of the files that specs extend."""
    return {base for spec in specs if (base := _base_of(spec, _text(root, spec)))}


def _spec_with_bases(root: Path, spec: str) -> Iterator[str]:
    """Yields a spec, and the files that it extends."""
    path: str | None = spec
    for _ in range(MAX_CHAIN):
        if path is None:
            return
        yield path
        path = _base_of(path, _text(root, path))


def _mentions(root: Path, path: str) -> Mentions:
    text = _text(root, path)
    made = Mentions(text)
    # A spec that names its base file in another form is always compared.
    made.anything |= "extends" in text and _base_of(path, text) is None
    # A requirements file names others, and folders of wheels.
    made.anything |= _REQUIREMENTS.search(text) is not None
    return made


def _base_of(path: str, text: str) -> str | None:
    """Returns the file that a spec extends; None if there is none, or it is not seen by the text."""
    name = base_named_in(text)
    base = os.path.normpath(PurePosixPath(path).parent / name) if name else ".."
    return None if base.startswith("..") else base


def _text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text("utf-8", "replace")
    except OSError:
        return ""
