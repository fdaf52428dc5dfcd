"""Numbers as Java 17's Double.toString writes them: not always in the fewest digits, as later ones do.

Source: jdk.internal.math.FloatingDecimal (BinaryToASCIIBuffer.dtoa), which Hadoop's Java has.
"""

from __future__ import annotations

import math
from fractions import Fraction

_MANTISSA = 52  # bits of a double behind the point
_LARGEST_LONG = 62  # binary exponent from where a whole number is no long any more
_SMALL = 64  # bits of the numbers that Java computes without big integers


def java_double(number: float) -> str:
    """Writes a number: plain between 1e-3 and 1e7 (`0.30000000000000004`), else with an exponent (`1.0E10`)."""
    if math.isnan(number):
        return "NaN"
    sign = "-" if math.copysign(1, number) < 0 else ""
    if math.isinf(number):
        return f"{sign}Infinity"
    if not number:
        return f"{sign}0.0"
    digits, point = _digits(abs(number))
    if not -3 < point <= 7:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"
    whole = digits[:point].ljust(point, "0") if point > 0 else "0"
    decimals = digits[point:] if point > 0 else "0" * -point + digits
    return f"{sign}{whole}.{decimals or '0'}"


def _digits(number: float) -> tuple[str, int]:
    """Returns the digits that are written, and how many of them stand before the point."""
    mantissa, exponent = math.frexp(number)
    exponent -= 1
    significant = _MANTISSA + 1 + min(0, exponent + 1022)  # a subnormal number has fewer
    bits = int(mantissa * (1 << _MANTISSA + 1))
    bits_used = bits.bit_length() - ((bits & -bits).bit_length() - 1)
    if exponent <= _LARGEST_LONG and bits_used <= exponent + 1:
        return _whole_digits(int(number), exponent - significant - 1)
    return _Division(number, exponent, significant, bits_used).digits()


def _whole_digits(number: int, spare: int) -> tuple[str, int]:
    """Returns the digits of a whole number; `spare` of its bits say nothing: the last digits are rounded away."""
    dropped = int(spare * math.log10(2)) if spare > 1 else 0
    number, rest = divmod(number, 10**dropped)
    number += dropped > 0 and 2 * rest >= 10**dropped
    text = str(number)
    return text.rstrip("0"), len(text) + dropped


class _Division:
    """Digit after digit of a number, until the rest is less than the distance to the adjacent doubles."""

    def __init__(self, number: float, exponent: int, significant: int, bits_used: int) -> None:
        fraction = 2 * math.frexp(number)[0]
        self._power = math.floor((fraction - 1.5) * 0.289529654 + 0.176091259 + exponent * 0.301029995663981)
        self._rest = Fraction(number) / Fraction(10) ** self._power
        half = exponent - significant - (bits_used == 1)  # below a power of two they are twice as near
        self._margin = Fraction(2) ** half / Fraction(10) ** self._power
        self._small = self._fits_in_longs(exponent, significant, bits_used)

    def digits(self) -> tuple[str, int]:
        """Returns the digits, and how many of them stand before the point."""
        found: list[int] = []
        first = True
        while True:
            digit, low, high = self._next_digit()
            if first and not digit and not high:
                self._power -= 1
            else:
                found.append(digit)
            if first and not -3 <= self._power < 8:
                low = high = False
            first = False
            if low or high:
                break
        return self._round_digits(found, low=low, high=high)

    def _next_digit(self) -> tuple[int, bool, bool]:
        """Returns the next digit, and whether the number may end here, rounded down (`low`) or up (`high`)."""
        digit = math.floor(self._rest)
        self._rest = 10 * (self._rest - digit)
        self._margin *= 10
        reached = self._rest + self._margin
        return digit, self._rest < self._margin, reached > 10 if self._small else reached >= 10

    def _round_digits(self, found: list[int], *, low: bool, high: bool) -> tuple[str, int]:
        up = high and (not low or 2 * self._rest > 10 or (2 * self._rest == 10 and found[-1] % 2))
        number = int("".join(map(str, found))) + bool(up)
        text = str(number)
        return text.rstrip("0"), self._power + 1 + len(text) - len(found)

    def _fits_in_longs(self, exponent: int, significant: int, bits_used: int) -> bool:
        """Returns True if Java divides longs here, which rounds more strictly."""
        behind = max(0, bits_used - exponent - 1)
        fives, other_fives = max(0, -self._power), max(0, self._power)
        twos, other_twos = fives + behind + exponent, other_fives + behind
        margin = twos - significant
        twos -= bits_used - 1
        common = min(twos, other_twos)
        twos, other_twos, margin = twos - common, other_twos - common, margin - common - (bits_used == 1)
        if margin < 0:
            twos, other_twos = twos - margin, other_twos - margin
        dividend = bits_used + twos + _bits_of_power_of_five(fives)
        divisor = other_twos + 1 + _bits_of_power_of_five(other_fives + 1)
        return dividend < _SMALL and divisor < _SMALL


def _bits_of_power_of_five(power: int) -> int:
    return (5**power).bit_length() if power and power < 27 else 3 * power  # FloatingDecimal.N_5_BITS, and beyond it
