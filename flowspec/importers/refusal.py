"""Says that a source can't be imported, and where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from flowspec.document.nearest import did_you_mean
from flowspec.document.text.tree import Place, Source
from flowspec.errors import SpecError
from flowspec.importers.placeholders import PLACEHOLDER


def refuse(source: Source, message: str, hint: str = "", at: Place | None = None) -> NoReturn:
    """Raises `SpecError`: the source can't be imported."""
    message = PLACEHOLDER.sub(r"${\1}", message)
    if at:
        raise SpecError([source.diagnostic("FS703", message, at, hint=hint)])
    raise SpecError([source.diagnostic("FS703", message, notes=(hint,) if hint else ())])


def load_json(source: Source, hint: str = "") -> Any:
    """Returns the value of a source that has to be JSON. Raises `SpecError`."""
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        refuse(source, f"this is not JSON: {error.msg}", hint, Place(source, error.lineno, error.colno, 1))
    except (ValueError, RecursionError):
        refuse(source, "this is not JSON that can be read: nested too deeply, or a number too long", hint)


def choose(source: Source, names: Sequence[str], wanted: str) -> int:
    """Returns the index of the one cluster meant: the only one, or the one of this name or number (from 1)."""
    if not wanted:
        if len(names) > 1:
            choices = ", ".join(f"{number}: {name}" for number, name in enumerate(names, 1))
            refuse(
                source, f"{len(names)} clusters are in it", f"choose one with --cluster, by name or number ({choices})"
            )
        return 0
    if names.count(wanted) == 1:
        return names.index(wanted)
    if wanted.isdigit() and 0 < int(wanted) <= len(names):
        return int(wanted) - 1
    refuse(
        source, f"there is no one cluster '{wanted}'", did_you_mean(wanted, names) or f"there are {', '.join(names)}"
    )
