"""Spans of time as people write them (`90 min`, `1h30`, `PT2H`) -> the number that a key expects."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# `m` stands for minutes: nobody gives a step months.
_UNIT = r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_PART = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s*{_UNIT}(?![a-z])[\s,]*")
_ISO = re.compile(r"p(\d+d)?t?")


def convert_duration(text: str, unit: str, *, whole: bool) -> str:
    """Returns a span of time as a number of a unit (seconds, minutes, hours); "" for other text.

    "" also where the number has a fraction and is wanted `whole`.
    """
    # After hours, a number without a unit is minutes: 1h30. ISO 8601 (PT1H30M) always has a unit.
    words = re.sub(r"(\d\s*h(?:ours?|rs?)?\s*\d{1,2})$", r"\1m", _ISO.sub(r"\1", text.strip().lower(), count=1))
    parts = list(_PART.finditer(words))
    if not parts or "".join(one[0] for one in parts) != words:
        return ""
    seconds = sum((Fraction(one[1]) * _SECONDS[one[2][0]] for one in parts), Fraction())
    number = seconds / _SECONDS[unit[0]]
    if number.denominator == 1:
        return str(number)
    return "" if whole else f"{float(number):.10g}"
