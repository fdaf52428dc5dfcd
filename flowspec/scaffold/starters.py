"""The templates of `flowspec init`, and writing them into a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

SAMPLE_BUCKET = "amzn-s3-demo-bucket"
"""Belongs to AWS, which uses it in its examples: what is sent there by mistake reaches no stranger."""

NAME = re.compile(r"(?!null$)[a-z][a-z0-9._-]{0,99}", re.IGNORECASE)
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")

_FILES = Path(__file__).parent / "files"
_SHARED = "word-count"


class Starter(NamedTuple):
    """A template: a summary, the specs that it writes, and the folder of its shared word count (None: it has none)."""

    summary: str
    specs: tuple[str, ...]
    word_count: str | None


STARTERS: Mapping[str, Starter] = {
    "streaming": Starter("a Hadoop Streaming job with a Python mapper and reducer", ("job.yaml",), "."),
    "spark": Starter("a PySpark job", ("job.yaml",), None),
    "long-lived": Starter("a cluster that keeps running and takes more steps", ("cluster.yaml",), "."),
    "gitops": Starter(
        "a repository of flows with a workflow that checks pull requests",
        ("jobs/daily.yaml", "jobs/weekly.yaml"),
        "jobs",
    ),
}


def starter_files(template: str, values: Mapping[str, str]) -> dict[str, str]:
    """Returns the files of a template by their relative paths, each `@KEY@` in them replaced by its value."""
    shared = STARTERS[template].word_count
    roots = [(_FILES / template, ".")] + ([(_FILES / _SHARED, shared)] if shared else [])
    texts = {(Path(into) / path).as_posix(): text for root, into in roots for path, text in _texts(root)}
    return {path: re.sub("@([A-Z]+)@", lambda key: values[key[1]], text) for path, text in sorted(texts.items())}


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    for file in root.rglob("*.in"):
        yield file.relative_to(root).with_suffix(""), file.read_text("utf-8")


def write_starter(folder: Path, files: Mapping[str, str]) -> None:
    """Writes files into a folder, programs (`#!`) as executable ones: all, or none when it fails or is interrupted.

    Raises OSError, with a path, when it can't be written.
    """
    written: list[Path] = []
    try:
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o777 if text.startswith("#!") else 0o666
            # "x": a file that has appeared since `existing_files` looked is not overwritten either.
            with open(file, "x", encoding="utf-8", opener=partial(os.open, mode=mode)) as out:
                written.append(file)
                out.write(text)
    except BaseException as error:
        for file in written:
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # A full disk comes without any.
            error.filename = error.filename or str(folder)
        raise


def existing_files(folder: Path, files: Iterable[str]) -> list[str]:
    """Returns the files that are there, and what is no folder where one has to be."""
    wanted = {(folder / path): path for path in files}
    above = {parent for file in wanted for parent in file.parents if os.path.lexists(parent) and not parent.is_dir()}
    return sorted([*(path for file, path in wanted.items() if os.path.lexists(file)), *map(str, above)])
