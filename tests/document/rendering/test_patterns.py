"""Patterns in bounded time, that find what `re` finds where both know the syntax."""

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.document.rendering.patterns import (
    MAX_REPLACED,
    Found,
    PatternError,
    PatternWork,
    compile_pattern,
    replace,
)
from tests.work import counted_calls

PIECES = st.sampled_from(
    ["a", "b", ".", r"\d", r"\w", r"\s", r"\W", "[ab]", "[^a]", "[a-c\\d]", "^", "$",
     r"\b", r"\A", r"\Z", "|", "1", "\\n", "é", r"\u00e9", r"\x61", r"\\", r"\.", r"\-"]
)  # fmt: skip
PATTERNS = st.recursive(
    st.lists(PIECES, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", ""])),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
    ),
    max_leaves=6,
)
TEXTS = st.text("abc1 \n_é\\.-", max_size=7)


def is_found(pattern, text):
    return compile_pattern(pattern).search(text) is not None


def of_python(pattern):
    """The same pattern for `re`, where $ is also the place before a last newline, and \\d knows all scripts."""
    return re.compile(re.sub(r"\\.|\$", lambda one: r"\Z" if one[0] == "$" else one[0], pattern), re.ASCII)


@settings(max_examples=300)
@given(PATTERNS, TEXTS)
def test_it_finds_what_re_finds(pattern, text):
    found = of_python(pattern).search(text)
    assert is_found(pattern, text) == bool(found)
    if found:
        assert compile_pattern(pattern).search(text).text == found[0]


@settings(max_examples=200)
@given(st.lists(PIECES.filter(lambda one: one != "|"), min_size=1, max_size=4).map("".join), TEXTS, st.integers(0, 3))
def test_it_replaces_what_re_replaces(pattern, text, count):
    replacement = r"<\g<0>é\\\n>"
    assert replace(compile_pattern(f"({pattern})"), replacement, text, count) == of_python(f"({pattern})").sub(
        replacement, text, count=count
    )


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("(?i)^[a-z]+(-[a-z]+)*$", "My-Job-Name-With-Some-Words" * 100, "my--job"),
        (r"^\d{4}-\d{2}-\d{2}$", "2026-11-22", "2026-11-22\n"),
        (r"^\d{4}$", "2026", "२०२६"),
        (r"^\p{L}+$", "größe", "2"),
        ("^ü+$", "üü", "u"),
        (r"^[\p{L}\p{N}_-]{1,128}$", "x" * 128, "x" * 129),
        (r"\Aemr-\Z", "emr-", "emr-\n"),
        (r"^\u00e9\U0001F600$", "é😀", "e"),
        (r"^\\u0041$", r"\u0041", "A"),
        ("flow", "overflows", "flew"),
        ("", "", None),
    ],
)
def test_what_people_write(pattern, good, bad):
    assert is_found(pattern, good)
    assert bad is None or not is_found(pattern, bad)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(a+)+$", "a" * 500_000 + "!", False),
        (r"(a+)+$", "a" * 500_000, True),
        (r"^([a-z]+-)*[a-z]+$", "-".join(["slug"] * 50_000), True),
        (r"(a|aa)+$", "a" * 300_000 + "!", False),
        (r"(.*a){12}$", "a" * 50_000 + "!", False),
        ("a*" * 30 + "b", "a" * 100_000, False),
        (r"^(\w+\s?)*$", "word " * 30_000 + "?", False),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 100_000, False),
        ("[a-q][^u-z]{13}x", "abcdefghijklmnopq" * 10_000, False),
        ("(" * 900 + ")" * 900, "a", True),
    ],
)
def test_patterns_that_re_never_finishes(pattern, text, found):
    assert is_found(pattern, text) is found


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("x(?=b)", r"a look-ahead, \(\?= at character 2", "enum"),
        ("(?!b)", r"a negative look-ahead, \(\?! at character 1", "enum"),
        ("(?<=b)a", "a look-behind", "enum"),
        ("(?<!b)a", "a negative look-behind", "enum"),
        (r"(a+)+\1", r"a back-reference, \\1 at character 6", "enum"),
        ("(?P<n>a)(?P=n)", "a back-reference", "enum"),
        (r"(?P<n>a)\k<n>", "a back-reference", "enum"),
        ("(a)?(?(1)b|c)", "a conditional group", "enum"),
        ("(?>a)", "an atomic group", r"\(\?:"),
        ("a++", "a possessive quantifier", r"write \+"),
        ("(?#x)a", "a comment", "description"),
        ("(?x)a", "the flag x", "without spaces"),
        ("a{1001}", r"a repetition of more than 1,000, \{1001\} at character 2", "fewer"),
        ("((a{1,50}){1,50}){1,50}b", "a repetition of more than 1,000", "fewer"),
        ("(", r"missing \): \( at character 1", "RE2"),
        ("[z-a]", "invalid character class range: z-a at character 2", "RE2"),
        (r"(?:\pL{500}){2}", "too large", "smaller"),
        ("a" * 10_001, "10,001 characters", ""),
        ("\ud800", "not Unicode", ""),
    ],
)
def test_patterns_that_can_not_be_used(pattern, message, hint):
    with pytest.raises(PatternError, match=message) as caught:
        compile_pattern(pattern)
    assert re.search(hint, caught.value.hint)


def test_groups_are_handed_out():
    assert compile_pattern(r"(\w+)=(?:(\d)|x)").search("é a=x") == Found("a=x", ("a", None))
    assert compile_pattern("b").search("a") is None


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "count", "made"),
    [
        (r"\s+", "-", "a  b c", 0, "a-b-c"),
        (r"\s+", "-", "a  b c", 1, "a-b c"),
        (r"(?P<year>\d+)-(\d+)", r"\2/\g<year>\g<1>0", "on 2026-11", 0, "on 11/202620260"),
        ("(a)|b", r"[\1]", "ab", 0, "[a][]"),
        ("é", "ü€", "éa", 0, "ü€a"),
        ("", "-", "ab", 0, "-a-b-"),
        ("/", r"\\", "a/b", 0, r"a\b"),
        ("x", "y", "", 0, ""),
    ],
)
def test_replacing(pattern, replacement, text, count, made):
    assert replace(compile_pattern(pattern), replacement, text, count) == made


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        (r"\1", "no group 1"),
        (r"\g<name>", "no group name"),
        (r"\x41", r"unknown escape \\x"),
        ("a\\", r"unknown escape"),
        (r"\gx", r"unknown escape \\g"),
    ],
)
def test_replacements_that_can_not_be_used(replacement, message):
    with pytest.raises(PatternError, match=message):
        replace(compile_pattern("a"), replacement, "nothing of it")


def test_the_result_of_a_replacement_is_bounded():
    with pytest.raises(PatternError, match="more than 100,000 characters"):
        replace(compile_pattern("a"), "b" * 1000, "a" * 200)
    with pytest.raises(PatternError, match="more than 100,000 characters"):
        replace(compile_pattern("x"), "y", "a" * (MAX_REPLACED + 1))
    assert len(replace(compile_pattern("a$"), "b", "a" * MAX_REPLACED)) == MAX_REPLACED


def test_replacing_never_costs_the_square():
    # At each a RE2 looks through all the rest for a b.
    with counted_calls() as work, pytest.raises(PatternError, match="too much work"):
        replace(compile_pattern("a.*b|a"), "x", "a" * 90_000)
    assert work.calls < 20_000


def test_all_patterns_of_a_document_share_one_bound():
    work = PatternWork(1_000_000)
    pattern = compile_pattern("^[a-z]*$", work)
    with pytest.raises(PatternError, match="the patterns of this document take too much work"):
        [pattern.search("a" * 10_000) for _ in range(100)]
    with pytest.raises(PatternError, match="too much work"):
        [compile_pattern("a", work) for _ in range(1000)]


def test_large_patterns_share_it_too():
    work, refused = PatternWork(), []
    for size in range(400):
        with pytest.raises(PatternError) as caught:
            compile_pattern(rf"(?:\pL{{500}}x{{{size}}}){{2}}", work)
        refused.append(str(caught.value))
    assert refused.index("the patterns of this document take too much work") < 30


def test_half_a_character_is_not_searched():
    with pytest.raises(PatternError, match="not Unicode"):
        compile_pattern("a").search("a\ud800")


def test_the_memory_for_a_large_text_is_small():
    code = """
import resource
from flowspec.document.rendering.patterns import compile_pattern
pattern = compile_pattern("^([a-z]+-)*[a-z]+$")
text = "slug-" * 2_000_000 + "x"
pattern.search("a")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert pattern.search(text)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100  # MB; macOS counts bytes, and would say more
