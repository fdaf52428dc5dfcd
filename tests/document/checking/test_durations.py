"""Spans of time as people write them, where a key wants a bare number."""

import pytest

from flowspec.document import schema
from flowspec.document.checking.durations import convert_duration


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("2s", "seconds", "2"),
        ("90 min", "seconds", "5400"),
        ("1h30", "seconds", "5400"),
        ("1h 30m", "seconds", "5400"),
        ("1 hour, 30 minutes", "seconds", "5400"),
        ("1.5H", "seconds", "5400"),
        ("PT1H30M", "seconds", "5400"),
        ("P1DT1H", "seconds", "90000"),
        ("7d", "minutes", "10080"),
        ("120s", "minutes", "2"),
        ("90s", "minutes", ""),
        ("90", "seconds", ""),
        ("soon", "seconds", ""),
        ("2 months", "seconds", ""),
        ("2m or so", "seconds", ""),
        ("", "seconds", ""),
    ],
)
def test_a_span_is_converted_into_whole_units(text, unit, number):
    assert convert_duration(text, unit, whole=True) == number


def test_a_key_that_takes_fractions():
    assert convert_duration("90 min", "hours", whole=False) == "1.5"


def _numbers(part):
    if isinstance(part, dict):
        if part.get("type") in ("integer", "number"):
            yield part
        for one in part.values():
            yield from _numbers(one)
    elif isinstance(part, list):
        for one in part:
            yield from _numbers(one)


def test_the_unit_is_the_one_of_the_description():
    numbers = list(_numbers(schema.strict()))
    assert len([one for one in numbers if "x-unit" in one]) >= 10
    for one in numbers:
        text = one.get("description", "").lower()
        unit = one.get("x-unit") or next((word for word in ("seconds", "minutes") if text.startswith(word)), "")
        assert (unit in text, unit) == (True, one.get("x-unit", ""))
