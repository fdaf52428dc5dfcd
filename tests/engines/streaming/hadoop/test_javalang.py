import math

import pytest

from flowspec.engines.streaming.hadoop.javalang import parse_double


@pytest.mark.parametrize(
    ("text", "number"),
    [  # Double.valueOf
        (" 1.5\t", 1.5),
        ("1.", 1.0),
        ("-.5e1F", -5.0),
        ("1e3d", 1000.0),
        ("1e999", math.inf),
        ("-Infinity", -math.inf),
        ("0x1.8p1", 3.0),
        ("-0X.8P+1D", -1.0),
        ("0xfp0f", 15.0),
        ("0x1.p-1075", 0.0),
        ("0x1.8p-1075", 5e-324),
        ("0x1p1024", math.inf),
        ("-0x1p9999999999", -math.inf),
    ],
)
def test_a_double_is_read_as_java_reads_it(text, number):
    assert parse_double(text) == number


def test_a_double_that_is_none_is_read():
    assert math.isnan(parse_double("+NaN"))


@pytest.mark.parametrize("text", ["x", "1_0", "inf", "nan", "0x1", "0x1.8", "0xp1", "0x.p1", "1e", "1fd", "NaNd", "٣"])
def test_what_java_does_not_read_as_a_double(text):
    with pytest.raises(ValueError, match=f'^For input string: "{text}"$'):
        parse_double(f" {text}")


def test_blanks_are_no_double():
    with pytest.raises(ValueError, match=r"^empty String$"):
        parse_double(" ")
