"""The table of Hadoop Streaming's options is what its two readers take it for."""

from flowspec.engines.streaming.hadoop.arguments import parse
from flowspec.facts.streaming_options import GENERIC, STREAMING

WORDS = {"switch": [], "each": ["a", "b"], "one_or_each": ["a", "b"]}


def test_no_flag_and_no_key_is_there_twice():
    options = [*GENERIC, *STREAMING]
    assert len({option.flag for option in options}) == len(options)
    keys = [option.key for option in options if option.key]
    assert len(set(keys)) == len(keys)


def test_the_engine_takes_as_many_words_as_the_form_says():
    for option in STREAMING:
        words = WORDS.get(option.form, ["a"])
        assert parse([f"-{option.flag}", *words, "-verbose"]).streaming[option.flag] == words


def test_the_engine_knows_every_generic_option():
    for option in GENERIC:
        assert parse([f"-{option.flag}", "a=b", "-mapper", "cat"]).generic == {option.flag: ["a=b"]}
