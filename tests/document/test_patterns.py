"""Patterns in bounded time, that say what `re` says."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.document import patterns
from flowspec.document.patterns import PatternError, is_found

PIECES = st.sampled_from(
    [
        "a",
        "b",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        "[ab]",
        "[^a]",
        "[a-c\\d]",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\A",
        r"\Z",
        "|",
        "1",
        "\\n",
    ]
)
PATTERNS = st.recursive(
    st.lists(PIECES, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", ""])),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.text("abc1 \n_é", max_size=7))
def test_all_ways_at_once_find_what_re_finds(pattern, text):
    if r"\B" in pattern and not text:
        return  # re was of two minds about that until Python 3.14
    tree = patterns._parsed(pattern)
    found = patterns._Search(text).ends(tree, set(range(len(text) + 1)))
    assert bool(found) == bool(re.search(pattern, text))


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(a+)+$", "a" * 5000 + "!", False),
        (r"(a+)+$", "a" * 5000, True),
        (r"^([a-z]+-)*[a-z]+$", "-".join(["slug"] * 500), True),
        (r"^([a-z]+-)*[a-z]+$", "-".join(["slug"] * 500) + "!", False),
        (r"(a|a)*b", "a" * 5000, False),
        (r"(a|aa)+$", "a" * 3000 + "!", False),
        (r"(.*a){12}$", "a" * 500 + "!", False),
        ("a*" * 30 + "b", "a" * 1000, False),
        (r"(\w+\s?)*$", "word " * 300 + "?", True),
        (r"^(\w+\s?)*$", "word " * 300 + "?", False),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 1000, False),
        (r"((a{1,50}){1,50}){1,50}b", "a" * 500, False),
    ],
)
def test_patterns_that_re_never_finishes(pattern, text, found):
    started = time.process_time()
    assert is_found(pattern, text) is found
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "(a+)+(?=b)",
        r"(a+)+\1",
        "(?i)(a+)+$",
        "(?i:(a+)+)$",
        "(" * 2000 + ")" * 2000,
        "a{99999999999}",
        "(a*)*" * 3000,
    ],
)
def test_patterns_that_can_not_be_used(pattern):
    started = time.process_time()
    with pytest.raises(PatternError):
        is_found(pattern, "a" * 5000 + "!")
    assert time.process_time() - started < 3


def test_every_day_patterns_are_left_to_re():
    for pattern in (
        r"^\d{4}-\d{2}-\d{2}$",
        r"^s3://[a-z0-9.-]+/",
        r"^[a-z][a-z0-9-]{0,62}$",
        r"^(dev|test|prod)$",
        "(?i)^emr-",
    ):
        assert patterns._ways(patterns._parsed(pattern), 30) <= patterns._QUICK
    assert is_found("(?i)^EMR-", "emr-7.5.0")
