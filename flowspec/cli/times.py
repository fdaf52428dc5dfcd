"""Points in time and spans as people write them on a command line; callbacks and types of click."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from math import isnan
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"(?P<number>\d{1,9}(?:\.\d+)?)(?P<unit>[smhd])|0")


def parse_span(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    """Returns a span of time: 90s, 30m, 12h, 7d; a bare 0 is none. Raises BadParameter for any other text."""
    try:
        found = _span_of(value)
    except OverflowError as error:
        raise click.BadParameter(f"{value!r} is too long") from error
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time span: write 90s, 30m, 12h or 7d")
    return found


def parse_moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Returns a date or time of ISO 8601 (in UTC, unless it says otherwise), or the time that was a span ago.

    Raises BadParameter for any other text.
    """
    if value is None:
        return None
    try:
        ago = _span_of(value)
        if ago is not None:
            return datetime.now(timezone.utc) - ago
        # Python 3.10 does not know the Z.
        found = datetime.fromisoformat(re.sub("Z$", "+00:00", value))
    except (ValueError, OverflowError) as error:
        wanted = "2026-11-28, 2026-11-28T10:00:00Z, or 12h for twelve hours ago"
        raise click.BadParameter(f"{value!r} is not a time: write {wanted}") from error
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


class Day(click.DateTime):
    """A day; the message about other text has an example, and not the format as Python writes it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the beginning of the day. Raises BadParameter for any other text."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a day: write one such as 2026-11-22", param, ctx)


class Seconds(click.FloatRange):
    """A number of seconds, 0 or more; of a span such as `10m` the message says how many seconds it is."""

    # In click's message about any other text.
    name = "number of seconds"

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the number of seconds. Raises BadParameter for any other text."""
        from flowspec.document.checking.durations import convert_duration

        if isinstance(value, str) and (number := convert_duration(value, "seconds", whole=False)):
            self.fail(f"{value!r} is not a number of seconds: write {number}", param, ctx)
        seconds = super().convert(value, param, ctx)
        if isnan(seconds):  # which is not less than 0, either
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


def _span_of(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    if not found:
        return None
    return timedelta(**{_UNITS[found["unit"]]: float(found["number"])}) if found["unit"] else timedelta()
