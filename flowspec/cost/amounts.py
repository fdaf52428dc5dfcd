"""Ranges of amounts of money, and texts for amounts and for what has no known price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """An amount in USD (per hour or in total) between `low` and `high`."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, number: float) -> Range:
        """Returns so many times this amount."""
        return Range(self.low * number, self.high * number)

    def __str__(self) -> str:
        low, high = amount_text(self.low), amount_text(self.high)
        return low if low == high else f"{low} to {high}"


def total(ranges: Iterable[Range]) -> Range:
    """Returns the sum of ranges."""
    return sum(ranges, Range())


def amount_text(amount: float) -> str:
    """Returns an amount in cents; below ten cents in tenths of a cent, so that small ones do not vanish."""
    return f"{amount:.3f}" if 0 < amount < _TEN_CENTS else f"{amount:.2f}"


def unknown_text(unknown: Sequence[str], region: str) -> str:
    """Names what has no price in a region, and how to get one: `the price of x9.mega; …`."""
    remedy = f"; `flowspec prices update --region {region}` reads prices from AWS"
    return f"{', '.join(unknown)}{remedy if region else ', because `region` is not set'}"


def hours_text(hours: float) -> str:
    """Returns hours in words: `2 hours`, `0.5 hours`, `1 hour`."""
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


_TEN_CENTS = 0.0995  # An amount that is rounded up to 0.10 has two digits, too.
