"""Suggests the known word that is nearest to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

# The longest list is that of instance types (737 in 2026), which takes 5 ms; keys of a document may be any number.
_MAX_COMPARED = 1000


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`, or "" when none is like it."""
    by_form: dict[str, str] = {}
    for one in known:
        by_form.setdefault(_form(one), one)
    form = _form(word)
    if form in by_form:
        return by_form[form]
    from difflib import get_close_matches

    close = get_close_matches(form, islice(by_form, _MAX_COMPARED), 1)
    return by_form[close[0]] if close else ""


def _form(word: str) -> str:
    """A word without what people confuse most: capitals, dashes."""
    return word.replace("-", "_").lower()


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question for a diagnostic's hint, or ""."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else ""
