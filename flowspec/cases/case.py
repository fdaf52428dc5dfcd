"""case.yaml -> Case: what is run, on which data, and what has to come out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from flowspec.document import schema as schemas
from flowspec.document.checking.validate import check_against
from flowspec.document.discovery import SPEC_SUFFIXES
from flowspec.document.text.parse import load, tree_of
from flowspec.document.text.tree import Document, NodePath
from flowspec.errors import SpecError

FILE = "case.yaml"
FOLDER = "tests"
_BEGINS = "a case says at least what it expects: `expect:`"
_WITHOUT_EXPECTATION = "such as expect: {s3://bucket/output/: expected}; or counters, fails, exit_code"


@dataclass(frozen=True, slots=True)
class Expected:
    """An output: its `uri`, the file or folder that it has to be like, and whether the order of lines counts."""

    uri: str
    path: Path
    in_any_order: bool
    at: NodePath


@dataclass(frozen=True)
class Case:
    """A test of a flow. `inputs` are the sample files or folders by URI; `now` is the moment of `ds` and `ts`.

    `fails` is the name of the step that has to fail ("" for none), and `message` words of its reason. `exit_code`
    is that of `flowspec apply`; `timeout` is in seconds. `document` knows the place of everything.
    """

    path: Path
    spec: Path
    target: str | None
    variables: Mapping[str, Any]
    now: datetime
    inputs: Mapping[str, Path]
    expected: tuple[Expected, ...]
    counters: Mapping[str, Mapping[str, Mapping[str, int]]]
    fails: str
    message: str
    exit_code: int
    timeout: float
    run_bootstrap: bool
    document: Document = field(repr=False, compare=False)


@cache
def schema() -> schemas.Schema:
    """Returns the schema of case.yaml."""
    found: schemas.Schema = json.loads(schemas.path("flowspec-case-v1.schema.json").read_text("utf-8"))
    return found


def load_case(path: Path) -> Case:
    """Reads a case.yaml. Raises SpecError with all that is wrong with it."""
    document = load(path, noun="a case", begins=_BEGINS)
    _refuse_name(document)
    data = check_against(document, schema())
    if not {"expect", "counters", "fails", "exit_code"} & data.keys():
        raise SpecError([document.diagnostic("FS102", (), "the key 'expect' is missing", hint=_WITHOUT_EXPECTATION)])
    fails = data.get("fails", "")
    fails, message = (fails, "") if isinstance(fails, str) else (fails["step"], fails.get("message", ""))
    return Case(
        path=path,
        spec=_find_spec(document, data.get("spec")),
        target=data.get("target"),
        variables=data.get("variables", {}),
        now=_parse_date(document, data.get("date", "2026-01-01")),
        inputs={uri: path.parent / name for uri, name in data.get("inputs", {}).items()},
        expected=tuple(_expected_output(path.parent, uri, how) for uri, how in data.get("expect", {}).items()),
        counters=data.get("counters", {}),
        fails=fails,
        message=message,
        exit_code=data.get("exit_code", 4 if fails else 0),
        timeout=data.get("timeout", 600),
        run_bootstrap=data.get("run_bootstrap", False),
        document=document,
    )


def _refuse_name(document: Document) -> None:
    if document.path.name != FILE:
        message = f"a case is described by {FILE}, this is {document.path.name}"
        raise SpecError([document.source.diagnostic("FS802", message, hint="rename it")])


def _parse_date(document: Document, day: str) -> datetime:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        message = f"'{day}' is not a date of the calendar"
        raise SpecError([document.diagnostic("FS105", ("date",), message)]) from None


def _expected_output(folder: Path, uri: str, how: str | Mapping[str, str]) -> Expected:
    path, compare = (how, "exact") if isinstance(how, str) else (how["path"], how.get("compare", "exact"))
    return Expected(uri, folder / path, compare == "lines", ("expect", uri))


def _find_spec(document: Document, name: str | None) -> Path:
    """Returns the path of the case's spec. Raises SpecError if there is none or it is ambiguous."""
    folder = Path(os.path.normpath(document.path.parent / ".." / ".."))
    if name is not None:
        path = Path(os.path.normpath(folder / name))
        if not path.is_file():
            message = f"there is no spec '{name}'"
            raise SpecError([document.diagnostic("FS804", ("spec",), message, notes=(f"looked for {path}",))])
        return path
    found = sorted(one.name for one in folder.iterdir() if one.suffix in SPEC_SUFFIXES and one.is_file())
    if len(found) == 1:
        return folder / found[0]
    message = f"several YAML files are beside {FOLDER}/" if found else f"no spec is beside {FOLDER}/"
    hint = f"give `spec: {found[0]}`" if found else f"a case is {FOLDER}/NAME/{FILE}, beside its spec"
    notes = tuple(filter(None, (", ".join(found), f"looked in {folder}")))
    raise SpecError([document.diagnostic("FS804", (), message, hint=hint, notes=notes)])


def refuse_unusable(case: Case, path: Path, at: NodePath, *, may_be_missing: bool = False) -> None:
    """Raises SpecError unless a case's file or folder, and all in it, is there and in the tree of its spec.

    A link to a folder in it is refused, too: so links can't form a cycle, and nothing is written through one.
    """
    _refuse_unusable_path(case, path, at, may_be_missing=may_be_missing)
    for folder, folders, names in os.walk(path):
        for one in (Path(folder, name) for name in folders):
            if one.is_symlink():
                message = f"'{os.path.relpath(one, case.path.parent)}' is a link to a folder"
                raise SpecError([case.document.diagnostic("FS802", at, message, hint="give the folder itself")])
        for one in (Path(folder, name) for name in names):
            _refuse_unusable_path(case, one, at)


def refuse_overwriting(case: Case, path: Path, at: NodePath) -> None:
    """Raises SpecError if an expected file or folder is, or holds, what the case itself is made of."""
    place = Path(os.path.realpath(path))
    for one in (case.path, case.spec, *case.inputs.values()):
        if Path(os.path.realpath(one)).is_relative_to(place):
            name, lost = (os.path.relpath(named, case.path.parent) for named in (path, one))
            message = f"'{name}' can't be updated: '{lost}' would be lost"
            raise SpecError([case.document.diagnostic("FS802", at, message, hint="name a file or folder of its own")])


def _refuse_unusable_path(case: Case, path: Path, at: NodePath, *, may_be_missing: bool = False) -> None:
    tree = tree_of(case.spec)
    real = Path(os.path.realpath(path))
    name = os.path.relpath(path, case.path.parent)
    problem = ""
    if not real.is_relative_to(tree):
        problem = f"'{name}' is outside of the spec's folder tree, {tree}"
    elif path.is_symlink() and not path.exists():
        problem = f"'{name}' is a broken link"
    elif not path.exists() and not may_be_missing:
        problem = f"there is no file or folder '{name}'"
    elif path.exists() and not (path.is_file() or path.is_dir()):
        problem = f"'{name}' is neither a file nor a folder"
    if problem:
        hint = "flowspec test --update writes it" if at[0] == "expect" and problem.startswith("there is no") else ""
        raise SpecError(
            [case.document.diagnostic("FS802", at, problem, hint=hint, notes=(f"looked at {os.path.normpath(path)}",))]
        )
