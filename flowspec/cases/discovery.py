"""Finds cases: below paths, and those that a change since another revision touches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flowspec.cases.case import FILE, FOLDER, Case, load_case
from flowspec.cases.sandbox import document_of, job_flow_of
from flowspec.document.discovery import is_spec, matches
from flowspec.document.rendering.extends import merge_bases
from flowspec.document.selection import Condition, is_selected, read_selects
from flowspec.document.text.parse import load
from flowspec.document.text.tree import Source, scalars
from flowspec.errors import SpecError
from flowspec.request.compile import compile
from flowspec.review.git import Repository

# A case.yml is found, too, so that it is refused with an error and not silently ignored.
_NAMES = (FILE, "case.yml")


def find_cases(paths: Sequence[Path]) -> list[Path]:
    """Returns the case.yaml files at paths, each once: a case's file or folder, a spec, or a folder, with all below it.

    A path may be a glob of such. Links to folders are not followed. Raises SpecError for a path that is not there, and
    a glob that matches nothing.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for one in [path] if path.exists() else _matches(path):
            for case in _cases_at(one):
                found.setdefault(os.path.realpath(case), case)
    return list(found.values())


def _matches(path: Path) -> list[Path]:
    """Returns the specs, cases and folders that a glob matches."""
    found = list(matches(path))
    if not found:
        raise SpecError([Source(str(path)).diagnostic("FS001", f"{path}: there is no such file or folder")])
    return [one for one in found if one.is_dir() or one.name in _NAMES or (one.is_file() and is_spec(one))]


def _cases_at(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield from [path] if path.name in _NAMES else _cases_of_spec(path)
        return
    here = _case_file_in(path)
    if here:
        yield here
        return
    for folder, folders, _ in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if Path(os.path.abspath(folder)).name == FOLDER:  # noqa: PTH100 - unlike Path.resolve it keeps links
            yield from filter(None, (_case_file_in(Path(folder, name)) for name in folders))


def _case_file_in(folder: Path) -> Path | None:
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def _cases_of_spec(spec: Path) -> Iterator[Path]:
    """Yields the cases beside a spec that belong to it, or can't be read."""
    folder = spec.parent / FOLDER
    for case in _cases_at(folder) if folder.is_dir() else ():
        try:
            if not load_case(case).spec.samefile(spec):
                continue
        except (SpecError, OSError):
            pass
        yield case


def name_of(path: Path) -> str:
    """Returns the name of a case: the path of its folder, as it was given."""
    name = os.path.normpath(path.parent)
    return str(Path.cwd()) if name == "." else name


def select_by_conditions(cases: Iterable[Path], conditions: Sequence[str]) -> list[Path]:
    """Returns the cases whose flow, as the case renders it, is chosen by conditions (`flowspec.document.selection`).

    Includes cases that can't be read or rendered. Raises FlowspecError for an invalid condition.
    """
    alternatives = read_selects(conditions)
    return [case for case in cases if not alternatives or _is_selected(case, alternatives)]


def _is_selected(case: Path, alternatives: Sequence[Sequence[Condition]]) -> bool:
    try:
        return is_selected(document_of(load_case(case)), alternatives)
    except (SpecError, OSError):
        return True


def select_changed(cases: Iterable[Path], base: str) -> list[Path]:
    """Returns the cases that differ from the merge base with a revision, in their files or in what their flow is of.

    A flow consists of the spec, the files that it extends, and the local files that its request names. A case that
    can't be read counts as touched. Raises FlowspecError when a repository can't be compared with its `base`.
    """
    changes = _Changes(base)
    return [case for case in cases if changes.affect(case)]


class _Changes:
    """The changed files since a revision, by repository; each repository is asked once."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._by_repository: dict[Repository, frozenset[Path]] = {}

    def affect(self, case: Path) -> bool:
        repository = Repository.containing(case.parent)
        if repository not in self._by_repository:
            parted = repository.merge_base(repository.commit(self._base), repository.commit("HEAD"))
            names = repository.changed_paths(parted)
            self._by_repository[repository] = frozenset(repository.root / name for name in names)
        changed = self._by_repository[repository]
        if not changed:
            return False
        try:
            sources = [Path(os.path.realpath(one)) for one in _sources(load_case(case))]
        except (SpecError, OSError):
            return True
        return any(one == source or source in one.parents for one in changed for source in sources)


def _sources(case: Case) -> Iterator[Path]:
    """Yields the files and folders that a case depends on."""
    yield case.path.parent
    yield case.spec
    yield from case.inputs.values()
    yield from (one.path for one in case.expected)
    for scalar in scalars(merge_bases(load(case.spec)).root):
        yield Path(scalar.at.source.file)
    for asset in compile(job_flow_of(case)).assets:
        yield asset.path
        if asset.packages:
            yield from (*asset.packages.requirements.files, *asset.packages.requirements.wheels)
