"""Doubles as Java 17 wrote them (200,000 random ones were compared with its Double.toString)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.engines.streaming.hadoop.javadouble import java_double


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (100.0, "100.0"),
        (0.001, "0.001"),
        (0.000999, "9.99E-4"),
        (9999999.999, "9999999.999"),
        (1e7, "1.0E7"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-12345678.0, "-1.2345678E7"),
        # more digits than the fewest
        (1e23, "9.999999999999999E22"),
        (8.41e21, "8.409999999999999E21"),
        (4.95e21, "4.950000000000001E21"),
        (1.348322603564301e17, "1.34832260356430096E17"),
        (2.526984132470122e-175, "2.5269841324701218E-175"),
        (5e-324, "4.9E-324"),
        (2.2250738585072014e-308, "2.2250738585072014E-308"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_a_number(number, text):
    assert java_double(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_read_as_the_same_number(number):
    assert float(java_double(number)) == number
