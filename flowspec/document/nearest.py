"""Suggests the known word, or the file, that is nearest to a misspelt one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path

from flowspec.errors import NothingFound

MAX_GUESSES = 100
"""The maximum number of suggestions for one document: nobody reads more, and each may take 25 ms."""

# The longest list is that of instance types (737 in 2026), which takes 5 ms; keys of a document may be any number.
_MAX_COMPARED = 1000
# The time grows with the square of the length, and no known name has as many characters.
_MAX_LENGTH = 300


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns the known word that is most like `word`, or "" when none is like it."""
    return next(iter(closest(word, known, 1)), "")


def closest(word: str, known: Iterable[str], most: int) -> list[str]:
    """Returns the known words similar to `word`, the nearest first; only one if it differs just in case or dashes."""
    by_form: dict[str, str] = {}
    for one in known:
        by_form.setdefault(_normalize(one), one)
    form = _normalize(word)
    if form in by_form:
        return [by_form[form]]
    if len(form) > _MAX_LENGTH:
        return []
    from difflib import get_close_matches

    return [by_form[one] for one in get_close_matches(form, islice(by_form, _MAX_COMPARED), most)]


def _normalize(word: str) -> str:
    """Returns a word in lower case, with _ for each dash: these are the most common confusions."""
    return word.replace("-", "_").lower()


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1) -> str:
    """Returns a question for a diagnostic's hint, with at most `most` words, or ""."""
    *others, last = closest(word, known, most) or [""]
    return f"did you mean {' or '.join(filter(None, [', '.join(others), last]))}?" if last else ""


def similar_file(path: Path) -> str:
    """Returns a hint for a missing file: the one of its kind beside it that may be meant, or that it has no folder."""
    try:
        beside = [one for one in sorted(path.parent.iterdir()) if not path.suffix or _kind(one) == _kind(path)]
    except OSError:
        return "" if path.parent.is_dir() else f"there is no folder {path.parent.name}"
    # Compared without suffixes, which would make all short names alike.
    names = {one.stem: one.name for one in beside}
    found = nearest(path.stem, names)
    return f"did you mean {names[found]}?" if found else ""


def _kind(path: Path) -> str:
    return path.suffix.replace(".yml", ".yaml")


def not_found(message: str, word: str, known: Collection[str]) -> NothingFound:
    """Returns the error for a name in an option or argument; its remedy is the nearest known name, else all of them."""
    names = ", ".join(map(repr, dict.fromkeys(known))) or "none"
    return NothingFound(message, remedy=did_you_mean(word, known) or f"there are: {names}")
