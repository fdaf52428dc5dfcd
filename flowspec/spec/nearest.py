"""What was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`, or "" when none is like it."""
    words = list(known)
    folded = word.replace("-", "_").lower()
    for one in words:
        if one.replace("-", "_").lower() == folded:
            return one
    from difflib import get_close_matches

    close = get_close_matches(word, words, 1) or get_close_matches(
        word.lower(), [one for one in words if one.islower()], 1
    )
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question for a diagnostic's hint, or ""."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else ""
