"""Errors of templates: what is wrong, where in the template, and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowspec.document.nearest import did_you_mean

_SHOWN = 40
MAX_COMPARED = 500
"""The maximum number of names that are compared with an undefined one; each takes some 15 µs."""


class TemplateError(Exception):
    """A template failed. `word` is the part of its text with the error; `id` is "" if it was already reported.

    `offset` is where the tag with the error begins in the template; None if the tag is not known.
    """

    def __init__(self, id: str, message: str, *, word: str = "", hint: str = "", notes: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__(message)
        self.id, self.message, self.word, self.hint, self.notes = id, message, word, hint, notes
        self.offset: int | None = None


# Names of Airflow's templates, and mappings in which other tools keep variables.
_HINTS_OF_OTHER_NAMES = {
    **dict.fromkeys(("execution_date", "logical_date"), "write ds for the day, or ts for the time"),
    "ds_nodash": "write ds | strftime('%Y%m%d')",
    "env": "declare a variable that has the key `env`, and write its name",
    **dict.fromkeys(("var", "vars", "params", "variables"), "write only the variable's name"),
}


def undefined_name_error(name: str, names: Iterable[str], functions: Iterable[str]) -> TemplateError:
    """Returns the error for a name that nothing defines."""
    known = sorted(names)
    hint = _HINTS_OF_OTHER_NAMES.get(name) or _suggest_name(name, [*known, *functions])
    return TemplateError("FS321", f"'{name}' is undefined", word=name, hint=hint, notes=_known_names_note(known))


def missing_key_error(key: str, owner: Mapping[Any, Any]) -> TemplateError:
    """Returns the error for a key that a mapping does not have."""
    known = [str(one) for one in owner]
    hint = _suggest_name(key, known)
    return TemplateError("FS321", f"there is no '{key}' in it", word=key, hint=hint, notes=_known_names_note(known))


def _suggest_name(name: str, known: list[str]) -> str:
    return did_you_mean(name, known) if len(known) <= MAX_COMPARED else ""


def _known_names_note(known: list[str]) -> tuple[str, ...]:
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return (f"defined here: {', '.join(known[:_SHOWN])}{more}",)
