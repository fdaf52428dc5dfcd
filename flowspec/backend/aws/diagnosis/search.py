"""Finds the line at the end of a log that shows the cause of a failure.

A log is read backwards. If a program continued for many lines after an error, that error is not the cause, so only
the last lines count. An uncaught exception and the exceptions that caused it are treated as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flowspec.backend.aws.diagnosis.lines import Kind, Line, classify
from flowspec.backend.aws.diagnosis.rule import Rule, Weight
from flowspec.backend.aws.diagnosis.rules import RULES, WRAPPERS

# If so many lines of output or progress follow an error, the program survived the error. A shell prints one more line
# after a failed command, Spark's drivers print up to ten. Recorded programs that continued printed 20 and more.
_SURVIVED = 15
# Of a program's plain output, only the last lines count: earlier lines may be about anything.
_LAST_WORDS = 6
_USAGE = re.compile(r"\s*usage: ", re.IGNORECASE)
# Lines of a stack trace that are shown around the line of the cause: a Python frame has a place, a line of code and,
# since 3.11, marks below it.
_BEFORE, _AFTER = 4, 3


@dataclass(frozen=True, slots=True)
class Match:
    """A line of a log that a rule knows."""

    rule: Rule
    line: Line
    text: str

    @property
    def summary(self) -> str:
        """The cause in plain language."""
        return _fill_in_name(self.rule.cause, self)


def _fill_in_name(text: str, match: Match) -> str:
    found = match.rule.pattern.search(match.text)
    return text.format(**(found.groupdict() if found else {})) if "{name}" in text else text


def lines_of(text: str, first: int = 1) -> list[Line]:
    """Splits a log into lines, the first of which has the number `first`."""
    return [classify(number, line) for number, line in enumerate(text.split("\n"), first)]


def search(lines: Sequence[Line]) -> Match | None:
    """Returns the match that shows the cause best; None if no rule matches the end of the log."""
    return _search(lines) or _search(_before_usage(lines))


def _before_usage(lines: Sequence[Line]) -> Sequence[Line]:
    """Returns the lines above the list of options that a program prints when it refuses one."""
    starts = (at for at, line in enumerate(lines) if _USAGE.match(line.text))
    return lines[: next(starts, 0)]


def _search(lines: Sequence[Line]) -> Match | None:
    symptom = None
    for block in _exception_blocks(_iterate_last_lines(lines)):
        found = _best_match(block)
        if found and found.rule.weight is not Weight.SYMPTOM:
            return found
        symptom = symptom or found
    return symptom


def search_words(text: str) -> Match | None:
    """Returns the match in a single text of EMR's own, such as the reason for a state."""
    return _best_match([classify(0, f"ERROR {line}") for line in text.split("\n")])


def quote(lines: Sequence[Line], match: Match) -> list[Line]:
    """Returns the line of the cause with those of its stack trace that belong to it."""
    at = lines.index(match.line)
    first = at
    while first > max(0, at - _BEFORE) and _is_source(lines[first - 1]):
        first -= 1
        if lines[first].text.lstrip().startswith('File "'):
            break
    last = at
    while last < min(len(lines) - 1, at + _AFTER) and lines[last + 1].text.startswith("\tat "):
        last += 1
    return list(lines[first : last + 1])


def _is_source(line: Line) -> bool:
    return line.kind is Kind.FRAME and line.text.startswith("  ")


def _iterate_last_lines(lines: Sequence[Line]) -> Iterator[Line]:
    """Yields the last lines in reverse order, back to the line after which the program is known to have continued."""
    others = said = 0
    for line in reversed(lines):
        if line.kind in {Kind.MESSAGE, Kind.PROGRESS}:
            others += 1
            said += line.kind is Kind.MESSAGE
            if others > _SURVIVED:
                return
        if line.kind is not Kind.MESSAGE or said <= _LAST_WORDS:
            yield line


def _exception_blocks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yields the lines of each exception with all its causes together, any other line alone."""
    block: list[Line] = []
    for line in lines:
        if line.kind in {Kind.EXCEPTION, Kind.FRAME}:
            block.append(line)
            continue
        if block:
            yield block
            block = []
        yield [line]
    if block:
        yield block


def _best_match(block: Iterable[Line]) -> Match | None:
    """Returns the match of the first rule in the table, for the outermost exception that it knows.

    Of the program's own exceptions, the deepest counts.
    """
    found = [match for line in block if line.kind is not Kind.FRAME for match in _matches(line)]
    return min(found, key=_rank, default=None)


def _rank(match: Match) -> tuple[int, int, int]:
    order = list(Weight).index(match.rule.weight)
    if match.rule.weight is Weight.EXCEPTION:
        return order, 0, -match.line.number
    return order, RULES.index(match.rule), match.line.number


def _matches(line: Line) -> Iterator[Match]:
    """Yields the first rule of each weight that knows the line."""
    has_level = line.kind in {Kind.EXCEPTION, Kind.ERROR}
    wrapped = any(wrapper.search(line.says) for wrapper in WRAPPERS)
    for weight in Weight:
        if weight is Weight.EXCEPTION and (not has_level or wrapped):
            continue
        for rule in RULES:
            if rule.weight is weight and rule.pattern.search(line.says):
                yield Match(rule, line, line.says)
                break
