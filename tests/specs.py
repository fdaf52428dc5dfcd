"""Specs that tests write into a folder of their own, rendered and compiled; no variable of the environment is seen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.document.text.tree import Document
from flowspec.request.compile import Request, compile


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the paths of a value of JSON, and of all that is in it."""
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def rendered(folder: Path, text: str, **options: Any) -> Document:
    """Writes a spec, job.yaml, and renders it."""
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return render(load(path), **{"environ": {}, **options})


def compiled(folder: Path, text: str, **options: Any) -> Request:
    """Writes a spec, and compiles it without the rules of EMR."""
    return compile(validate(rendered(folder, text, **options), emr_rules=False))
