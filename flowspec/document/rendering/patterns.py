r"""Regular expressions from specs: searched and replaced in bounded time and memory. The only module that uses re2.

A pattern may come from someone who is not trusted, and Python's `re` needs exponential time for some of them
(`(a+)+$`). RE2 searches in time linear in the text, and so does not support look-arounds, back-references, conditional
and atomic groups.

The syntax is RE2's (https://github.com/google/re2/wiki/Syntax), similar to that of `pattern` in JSON Schema. A pattern
is found anywhere unless it is anchored. `$` is the end of the text, and not also the place before a last newline. `\d`,
`\w`, `\s` and `\b` match ASCII only, and `\p{L}` is any letter. Python's `\Z` and both languages' `\u00e9` are
understood, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

MAX_PATTERN = 10_000
"""Characters of one pattern."""

MAX_WORK = 300_000_000
"""Bytes of text times instructions of a pattern, for all patterns of a document together.

The measured maximum is 7 ns per byte and instruction, with so little memory (1 MB) that RE2 gave up its automaton and
executed all instructions; this limit is two seconds of such work. With the memory given here, most patterns took 2 ns
per byte, whatever their size.
"""

MAX_REPLACED = 100_000
"""Characters of a text in which something was replaced."""

# RE2's own default. It is enough for ^[\pL\pN_-]{1,300}$ (400,000 instructions of 16 bytes); 4 MB are not.
_MEMORY = 8 << 20
# Compiled patterns that are kept, of up to _MEMORY each.
_KEPT = 8
# In units of MAX_WORK (7 ns), rounded up from what was measured: up to 4 us per character of short patterns, 0.5 us
# per instruction, and 60 to 70 ms until a program turns out to be larger than _MEMORY.
_PER_CHARACTER, _PER_INSTRUCTION, _TOO_LARGE = 1_000, 70, 15_000_000

_NOT_LINEAR = "write it without, or list the allowed values with `enum`"
_OTHER_SYNTAX = "the syntax is RE2's: https://github.com/google/re2/wiki/Syntax"
# Syntax that RE2 refuses but other engines support, and what to use instead.
_UNSUPPORTED = {
    "(?=": ("a look-ahead", _NOT_LINEAR),
    "(?!": ("a negative look-ahead", _NOT_LINEAR),
    "(?<=": ("a look-behind", _NOT_LINEAR),
    "(?<!": ("a negative look-behind", _NOT_LINEAR),
    "(?(": ("a conditional group", _NOT_LINEAR),
    "(?P": ("a back-reference", _NOT_LINEAR),
    "(?>": ("an atomic group", "write (?:…) instead: a search never takes long here"),
    "++": ("a possessive quantifier", "write + instead: a search never takes long here"),
    "*+": ("a possessive quantifier", "write * instead: a search never takes long here"),
    "?+": ("a possessive quantifier", "write ? instead: a search never takes long here"),
    "(?#": ("a comment", "say it in the variable's `description`"),
    "(?x": ("the flag x", "write the pattern without spaces and comments"),
}
_BACK_REFERENCE = re.compile(r"\\[1-9k]$")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_GROUP = re.compile(r"\\(?:g<(\w+)>|(.?))", re.DOTALL)
_PLAIN_ESCAPES = {"\\": "\\", "n": "\n", "t": "\t"}


class PatternError(ValueError):
    """A pattern can't be used, or takes too much work: the message says why, and `hint` is the remedy."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PatternWork:
    """The work that all patterns of one document may take together (`limit` as in MAX_WORK)."""

    def __init__(self, limit: int = MAX_WORK) -> None:
        self._left = limit

    def spend(self, units: int) -> None:
        """Counts work before it is done. Raises PatternError when it is more than what is left, and from then on."""
        self._left -= units
        if self._left < 0:
            raise PatternError("the patterns of this document take too much work", "shorten the text or the pattern")


class Found(NamedTuple):
    """A match: the text, and those of its groups (None: the group took no part)."""

    text: str
    groups: tuple[str | None, ...]


class Pattern:
    """A compiled pattern, made by `compile_pattern`."""

    def __init__(self, text: str, compiled: Any, work: PatternWork) -> None:
        self.text = text
        self._compiled, self._work = compiled, work

    def search(self, text: str) -> Found | None:
        """Finds the pattern anywhere in a text, the leftmost one. Raises PatternError when it takes too much work."""
        found = next(self.matches(text), None)
        return found and Found(found.group(), found.groups())

    def matches(self, text: str) -> Iterator[Any]:
        """Yields re2's match objects in order. Raises PatternError for too much work, or for text with a surrogate."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise PatternError("the text is not Unicode: it has half of a surrogate pair") from None
        cost = self._compiled.programsize
        self._work.spend(size * cost)
        last = None
        for found in self._compiled.finditer(text):
            # re2 gives an empty match that is not where it began to look twice (1.1.20251105).
            if found.span() != last:
                yield found
            last = found.span()
            # RE2 may have to read the whole rest to find the end of a match (`a.*b|a`).
            self._work.spend((len(text) - found.end()) * cost)

    def check_group(self, group: str) -> int | str:
        """Returns the number or name of a group as re2 takes it. Raises PatternError when there is no such group."""
        if group.isdecimal() and int(group) <= self._compiled.groups:
            return int(group)
        if group in self._compiled.groupindex:
            return group
        raise PatternError(f"the pattern has no group {group}")


def compile_pattern(text: str, work: PatternWork | None = None) -> Pattern:
    """Compiles a pattern, whose searches count as part of `work` (None: its own work).

    Raises PatternError if it is not a regular expression of RE2, is too large, or takes too much work.
    """
    work = work or PatternWork()
    if len(text) > MAX_PATTERN:
        raise PatternError(f"it has {len(text):,} characters, up to {MAX_PATTERN:,} are allowed")
    work.spend(len(text) * _PER_CHARACTER)
    try:
        compiled = _compiled(text)
    except _TooLargeError:
        work.spend(_TOO_LARGE)
        raise PatternError("it is too large", "use smaller repetitions, such as + for {1,1000}") from None
    work.spend(compiled.programsize * _PER_INSTRUCTION)
    return Pattern(text, compiled, work)


def replace(pattern: Pattern, replacement: str, text: str, count: int = 0) -> str:
    r"""Replaces what a pattern finds in a text, from left to right: the first `count`, or all for 0.

    `replacement` is as in Python's `re.sub`: \1, \g<1> and \g<name> are groups, \n, \t and \\ characters; a group
    that took no part is empty. Raises PatternError for other escapes and unknown groups, before anything is
    searched for, for results of more than MAX_REPLACED characters, and when it takes too much work.
    """
    parts = _parse_replacement(pattern, replacement)
    pieces, end, length = [], 0, 0
    for found in islice(pattern.matches(text), count or None):
        for piece in (text[end : found.start()], *_expand_replacement(parts, found)):
            pieces.append(piece)
            length += len(piece)
            _check_length(length)
        end = found.end()
    _check_length(length + len(text) - end)
    return "".join((*pieces, text[end:]))


def _check_length(length: int) -> None:
    if length > MAX_REPLACED:
        raise PatternError(f"the result has more than {MAX_REPLACED:,} characters")


def _parse_replacement(pattern: Pattern, text: str) -> list[tuple[str, int | str | None]]:
    """Returns a replacement as pairs of a text and the group behind it.

    re2's own `expand` is not used: it turns é into Ã© (1.1.20251105).
    """
    parts: list[tuple[str, int | str | None]] = []
    end, plain = 0, ""
    for escape in _GROUP.finditer(text):
        plain, end = plain + text[end : escape.start()], escape.end()
        group = escape[1] or (escape[2] if escape[2].isdecimal() else "")
        if group:
            parts.append((plain, pattern.check_group(group)))
            plain = ""
        elif escape[2] in _PLAIN_ESCAPES:
            plain += _PLAIN_ESCAPES[escape[2]]
        else:
            raise PatternError(f"the replacement has the unknown escape {escape[0]}", r"\\ is a backslash")
    return [*parts, (plain + text[end:], None)]


def _expand_replacement(parts: list[tuple[str, int | str | None]], found: Any) -> Iterator[str]:
    for plain, group in parts:
        yield plain
        if group is not None:
            yield found.group(group) or ""


def re2_error() -> type[Exception]:
    """Returns the exception that RE2 raises, for callers of libraries that use it by themselves."""
    import re2

    error: type[Exception] = re2.error
    return error


class _TooLargeError(Exception):
    """A pattern makes more instructions than `_MEMORY` holds."""


@lru_cache(maxsize=_KEPT)
def _compiled(text: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(_ESCAPE.sub(_as_re2_escapes, text), options)
    except UnicodeEncodeError:
        raise PatternError("it is not Unicode: it has half of a surrogate pair") from None
    except re2.error as error:
        raise _explain_re2_error(text, error.args[0].decode("utf-8", "replace")) from None
    finally:
        # re2 would keep 128 of them, 1 GB at worst.
        re2.purge()


def _as_re2_escapes(escape: re.Match[str]) -> str:
    escaped = escape[1]
    if escaped == "Z":
        return r"\z"
    return f"\\x{{{escaped[1:]}}}" if escaped[0] in "uU" and len(escaped) > 1 else escape[0]


def _explain_re2_error(text: str, message: str) -> Exception:
    """Returns an error that explains RE2's `message`, which ends with the part of the pattern that it is about."""
    if "too large" in message:
        return _TooLargeError()
    reason, _, part = message.partition(": ")
    where = f"{part} at character {text.find(part) + 1}" if part in text else part
    name, hint = _UNSUPPORTED.get(part, ("", _OTHER_SYNTAX))
    if "repetition size" in reason:
        name, hint = "a repetition of more than 1,000", "use + or *, or repeat fewer times; nested repetitions multiply"
    elif _BACK_REFERENCE.match(part):
        name, hint = "a back-reference", _NOT_LINEAR
    return PatternError(f"it has {name}, {where}" if name else f"{reason}: {where}", hint)
