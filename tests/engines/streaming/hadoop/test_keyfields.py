"""Partitioners, comparators and cuts, against values that real Hadoop gave (Java 17, Hadoop 3.4.1)."""

from functools import cmp_to_key

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.engines.streaming.data.layout import Layout, escape, unescape
from flowspec.engines.streaming.hadoop.keyfields import BadOptions, KeyField, order_key, parse_key_fields
from flowspec.engines.streaming.hadoop.partition import hash_bytes, hash_partitioner, key_field_partitioner
from flowspec.engines.streaming.hadoop.records import cutter, size_of


@pytest.mark.parametrize(
    ("key", "number"),
    [(b"", 1), (b"a", 128), (b"hello", 127791473), (b"\xc3\xa9", -1017)],  # java.util.Arrays.hashCode
)
def test_the_hash_of_a_text(key, number):
    assert hash_bytes(key) == number & 0xFFFFFFFF


@given(st.binary(max_size=40))
def test_the_hash_is_a_polynomial_over_signed_bytes(key):
    signed = [byte - 256 if byte > 127 else byte for byte in key]
    powers = [31**power for power in range(len(key))][::-1]
    total = 31 ** len(key) + sum(byte * power for byte, power in zip(signed, powers, strict=True))
    assert hash_bytes(key) == total % 2**32


def test_where_the_default_partitioner_sends_keys():
    # recorded: six keys of a job with three reducers
    parts = {key: hash_partitioner(3)(key) for key in (b"one", b"two", b"three", b"four", b"five", b"six")}
    assert parts == {b"three": 0, b"five": 1, b"four": 1, b"one": 2, b"two": 2, b"six": 2}


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=3).map(lambda data: data * 250)), st.integers(1, 33))
def test_the_default_partitioner_is_the_hash_for_any_number_of_reducers(key, reduces):
    assert hash_partitioner(reduces)(key) == (hash_bytes(key) & 0x7FFFFFFF) % reduces


def test_a_long_is_its_own_hash():
    assert [hash_partitioner(4)(number) for number in (0, 5, 1 << 32, (1 << 31) + 1)] == [0, 1, 0, 1]


def java_string_hash(text):
    units = text.encode("utf-16-be")
    h = 0
    for at in range(0, len(units), 2):
        h = 31 * h + (units[at] << 8 | units[at + 1])
    return h & 0x7FFFFFFF


@given(st.text(max_size=20))
def test_key_fields_without_options_hash_the_string(text):
    assert key_field_partitioner(7, (), b"\t")(text.encode("utf-8", "replace")) == (
        java_string_hash(text.encode("utf-8", "replace").decode()) % 7
    )


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ("", []),
        ("-k1,2", [KeyField(end=2)]),
        ("-k 2", [KeyField(begin=2)]),
        ("-k1.2,1.3", [KeyField(begin_char=2, end=1, end_char=3)]),
        ("-k2,2nr -k1,1", [KeyField(begin=2, end=2, numeric=True, reverse=True), KeyField(end=1)]),
        ("-r -k1,1 -k2,2n", [KeyField(end=1, reverse=True), KeyField(begin=2, end=2, numeric=True)]),
        ("-nr", [KeyField(numeric=True, reverse=True)]),
    ],
)
def test_options(options, fields):
    assert parse_key_fields(options) == tuple(fields)


@pytest.mark.parametrize(
    ("options", "exception"),
    [
        ("-kx", 'java.lang.NumberFormatException: For input string: "x"'),
        ("-k1-2", 'java.lang.NumberFormatException: For input string: "1-2"'),
        ("-k1,", "java.util.NoSuchElementException"),
        ("-k1.1.1", "java.lang.IllegalArgumentException: Invalid -k argument."),
        ("-k1,2,3", "java.lang.IllegalArgumentException: Invalid -k argument."),
    ],
)
def test_a_bad_option_is_the_exception_of_a_task(options, exception):
    with pytest.raises(BadOptions) as caught:
        parse_key_fields(options)
    assert str(caught.value).startswith(exception)


def sort_by(options, keys, separator=b"\t"):
    return sorted(keys, key=order_key(parse_key_fields(options), separator))


def test_numbers_of_any_form_and_length():
    in_order = [
        b"-10",
        b"-9.5",
        b"-9",
        b"-0.01",
        b"0",
        b"0.001",
        b"0.1x",
        b"1e3",
        b"2",
        b"10",
        b"010.5",
        b"99",
        b"1" + b"0" * 20,
    ]
    assert sort_by("-k1,1n", in_order[::-1]) == in_order
    assert sort_by("-k1,1nr", in_order) == in_order[::-1]


# Compared by Hadoop 3.4.1's KeyFieldBasedComparator itself.
@pytest.mark.parametrize("same", [[b"0", b"-0", b"0.0", b"-0.00"], [b"7", b"7.0", b"7."], [b"7.5", b"7.50"]])
def test_forms_that_are_the_same_number(same):
    order = order_key(parse_key_fields("-n"), b"\t")
    assert len({order(key) for key in same}) == 1


@pytest.mark.parametrize(
    "in_order",
    [
        [b"007", b"7", b"7a", b"7b"],
        [b" 3", b"+4", b"0", b"abc", b"b"],
        [b"-9a", b"-9", b"-1"],
        [b"", b"-9", b"\xc3\xa9", b"0"],
    ],
)
def test_equal_numbers_differ_by_the_byte_behind_their_digits_or_their_first(in_order):
    assert sort_by("-k1,1n", in_order[::-1]) == in_order
    assert sort_by("-k1,1nr", in_order) == in_order[::-1]


def test_positions_outside_of_the_key():
    assert sort_by("-k0,1", [b"b", b"a"]) == [b"a", b"b"]
    assert sort_by("-k1.2,1", [b"bc", b"a", b"\tx"]) == [b"a", b"\tx", b"bc"]  # the end before the start
    assert sort_by("-k1.0,1", [b"aa", b"b"]) == [b"b", b"aa"]  # the length of the key is compared, too
    assert key_field_partitioner(7, parse_key_fields("-k1.0"), b"\t")(b"abc") == 0


def test_a_key_without_the_field_is_smaller():
    assert sort_by("-k2,2", [b"a\tz", b"b", b"c\ta"]) == [b"b", b"c\ta", b"a\tz"]
    assert sort_by("-k2,2r", [b"a\tz", b"b", b"c\ta"]) == [b"a\tz", b"c\ta", b"b"]


FIELD = st.binary(max_size=3).map(lambda data: data.replace(b",", b""))


@given(st.lists(st.tuples(FIELD, FIELD)))
def test_fields_in_turn_each_in_its_direction(pairs):
    def compare(one, other):
        first = (one[0] > other[0]) - (one[0] < other[0])
        second = (one[1] < other[1]) - (one[1] > other[1])
        return first or second

    pairs = [pair for pair in pairs if all(pair)]  # an empty field at the end of a key is none
    keys = [b",".join(pair) for pair in sorted(pairs, key=cmp_to_key(compare))]
    assert sort_by("-k1,1 -k2,2r", keys[::-1], b",") == keys


@pytest.mark.parametrize(
    ("line", "separator", "fields", "pair"),
    [
        (b"a\tb\tc", b"\t", 1, (b"a", b"b\tc")),
        (b"abc", b"\t", 1, (b"abc", b"")),
        (b"11.12.1.2", b".", 2, (b"11.12", b"1.2")),
        (b"a.b", b".", 4, (b"a.b", b"")),
        (b"a::b:::c", b"::", 2, (b"a::b", b":c")),
        (b"", b"\t", 3, (b"", b"")),
        (b"x y z", b" ", 0, (b"x", b"y z")),
    ],
)
def test_cutting_a_line(line, separator, fields, pair):
    assert cutter(separator, fields)(line) == pair


def test_sizes_of_values():
    assert [size_of(value) for value in (b"abc", b"x" * 200, 7, None)] == [4, 202, 8, 0]


@given(st.lists(st.binary(max_size=6)))
def test_escaping_keeps_the_order_and_nothing_that_would_end_a_line(texts):
    escaped = [escape(text) for text in sorted(texts)]
    assert escaped == sorted(escaped)
    assert not any(byte in b"\t\n\x00" for text in escaped for byte in text)
    assert [unescape(text) for text in escaped] == sorted(texts)


LONG, TEXT, NULL = (f"org.apache.hadoop.io.{name}" for name in ("LongWritable", "Text", "NullWritable"))


@pytest.mark.parametrize(
    ("layout", "pair"),
    [
        (Layout(plain=True, key_class=TEXT, value_class=TEXT), (b"k", b"v\tw")),
        (Layout(plain=False, key_class=TEXT, value_class=TEXT), (b"k\tl\n\x01", b"v\n")),
        (Layout(plain=False, key_class=LONG, value_class=NULL), (-5, None)),
    ],
)
def test_what_is_laid_out_is_read_again(layout, pair):
    line = layout.encode(*pair)
    assert line.count(b"\n") == 1
    assert layout.decode(line[:-1]) == pair


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_as_keys_keep_their_order(numbers):
    layout = Layout(plain=False, key_class=LONG, value_class=NULL)
    texts = sorted(layout.encode(number, None) for number in numbers)
    assert [layout.decode(text[:-1])[0] for text in texts] == sorted(numbers)
