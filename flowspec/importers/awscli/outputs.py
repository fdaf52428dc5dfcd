"""The output of `echo`, `printf` and `seq` within `$( )`, as far as it is known, and the words of `{1..3}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from flowspec.importers.awscli.parsed import Command
from flowspec.importers.placeholders import PLACEHOLDER

# Far above what launch scripts count to.
_MOST_NUMBERS = 200
# Others, such as 010, mean different numbers to `printf` and `seq`.
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,8}", re.ASCII)
# Of the conversions only these, without a width.
_FORMAT = re.compile(r"(?!-)(?:[^%\\]|%[sd%]|\\n)*")
_CONVERSION = re.compile(r"%[sd%]|\\n")
RANGE = re.compile(
    r"\{(?:(?P<first>-?[0-9]{1,9})\.\.(?P<last>-?[0-9]{1,9})|[A-Za-z]\.\.[A-Za-z])(?:\.\.(?P<step>-?[0-9]{1,9}))?\}",
    re.ASCII,
)
"""The numbers or letters that bash counts in braces."""


def output_of(commands: Sequence[Command]) -> str | None:
    """Returns the output of a command as `$( )` gives it; None where it is not known."""
    if len(commands) != 1 or commands[0].conditional or any(word.is_pattern for word in commands[0].words):
        return None
    program, *args = [word.text for word in commands[0].words]
    made = None
    if program == "echo" and not any("\\" in one for one in args) and not "".join(args[:1]).startswith("-"):
        made = " ".join(args)
    elif program == "printf" and args and _FORMAT.fullmatch(args[0]):
        made = _printf(args[0], args[1:])
    elif program == "seq" and 1 <= len(args) <= 3 and all(map(_NUMBER.fullmatch, args)):
        first, step, last = ["1", "1", *args] if len(args) == 1 else [args[0], *(["1"] * (len(args) == 2)), *args[1:]]
        counted = _numbers(int(first), int(last), int(step))
        made = None if counted is None else "\n".join(map(str, counted))
    return None if made is None else made.rstrip("\n")


def _printf(form: str, args: list[str]) -> str | None:
    conversions = [one for one in _CONVERSION.findall(form) if one in ("%s", "%d")]
    # With more arguments, the format is used once more.
    times = len(args) // len(conversions) if conversions else 1
    known = len(conversions) * times == len(args) and times > 0
    for conversion, one in zip(conversions * times, args, strict=False):
        known = known and (conversion == "%s" or bool(_NUMBER.fullmatch(one) or PLACEHOLDER.fullmatch(one)))
    rest = iter(args)
    return _CONVERSION.sub(lambda found: _converted(found[0], rest), form * times) if known else None


def _converted(conversion: str, args: Iterator[str]) -> str:
    return {"%%": "%", "\\n": "\n"}.get(conversion) or next(args)


def _numbers(first: int, last: int, step: int) -> range | None:
    """Returns the numbers that `seq` and `{1..3}` count; None if they are too many, or have no end."""
    made = range(first, last + (1 if step > 0 else -1), step) if step else None
    return made if made is not None and len(made) <= _MOST_NUMBERS else None


def expand_range(found: re.Match[str]) -> list[str] | None:
    """Returns the words of bash's `{1..3}` and `{01..12}`; None for letters, and for too many."""
    ends = (found["first"], found["last"])
    if None in ends:
        return None
    first, last = map(int, ends)
    step = (abs(int(found["step"] or 1)) or 1) * (1 if last >= first else -1)
    padded = any(re.match(r"-?0[0-9]", one) for one in ends)
    width = max(map(len, ends)) if padded else 0
    counted = _numbers(first, last, step)
    return None if counted is None else [f"{one:0{width}d}" for one in counted]
