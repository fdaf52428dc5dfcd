"""The shuffle, between the mappers' lines and the reducers': counted, sorted, cut and merged."""

import random
import resource
import subprocess
from collections import Counter, defaultdict
from itertools import groupby
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.engines.streaming.data import arrays, collect, merge
from flowspec.engines.streaming.data.collect import Collector, Counted, MapOutput, Shuffle, counted_blocks
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.linecounter import LineCounter
from flowspec.engines.streaming.data.lines import BLOCK, GroupCounter, split_lines
from flowspec.engines.streaming.data.merge import Merge
from flowspec.engines.streaming.hadoop.classes import LONG, TEXT
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.partition import hash_partitioner
from flowspec.engines.streaming.hadoop.records import text_size

PLAIN = Layout(plain=True, key_class=TEXT, value_class=TEXT)


def different(count, seed=1, alphabet=b"abcdefgh\xc3\xa9"):
    """Lines of which hardly one is like another; some have no TAB, some several."""
    chance = random.Random(seed)
    ends = (b"", b"\t", b"\t1", b"\tv\tw", b"\t" + b"y" * 300)
    return [bytes(chance.choices(alphabet, k=chance.randrange(24))) + chance.choice(ends) for _ in range(count)]


def alike(count):
    """Lines of a word count."""
    return [b"word%d\t1" % (number * number % 997) for number in range(count)]


def collected(shuffle, name, lines, block):
    collector = Collector(shuffle, name)
    for start in range(0, len(lines), block):
        collector.add(b"".join(line + b"\n" for line in lines[start : start + block]))
    return collector.close()


def shuffled(tmp_path, lines, reduces, *, block=5000):
    """The lines as each reducer gets them, and the map_outputs they went through: two collectors share them."""
    partition = hash_partitioner(reduces) if reduces > 1 else None
    shuffle = Shuffle(PLAIN, tmp_path, reduces, partition, hashed=True)
    return merged(shuffle, [collected(shuffle, f"worker-{worker}", lines[worker::2], block) for worker in (0, 1)])


def merged(shuffle, map_outputs):
    keyed = any(map_output.keyed for map_output in map_outputs)
    merges = [Merge(shuffle, map_outputs, number, keyed=keyed) for number in range(shuffle.reduces)]
    try:
        return [b"".join(block.text for block in merge.blocks()).split(b"\n")[:-1] for merge in merges], map_outputs
    finally:
        for merge in merges:
            merge.close()


def as_pairs(lines):
    return [line if b"\t" in line else line + b"\t" for line in lines]


def weight(lines):
    """Returns the size in bytes of all keys and values as Hadoop's Text."""
    pairs = [line.partition(b"\t") for line in lines]
    return sum(text_size(len(key)) + text_size(len(value)) for key, _, value in pairs)


def check(tmp_path, lines, reduces):
    """Returns the expected result for any lines, computed in plain Python."""
    parts, map_outputs = shuffled(tmp_path, lines, reduces)
    partition = hash_partitioner(reduces)
    expected = defaultdict(list)
    for line in as_pairs(lines):
        expected[0 if reduces == 1 else partition(line.partition(b"\t")[0])].append(line)
    assert len(parts) == reduces
    for number, part in enumerate(parts):
        assert sorted(part) == sorted(expected[number])
        keys = [line.partition(b"\t")[0] for line in part]
        assert keys == sorted(keys)
    assert sum(map_output.weight for map_output in map_outputs) == weight(lines)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_sizes(monkeypatch):
    """Every limit is met by a few thousand lines."""
    for name, size in (("_DECIDED_AFTER", 1000), ("_MOST_COUNTED", 300), ("_LOOK_AGAIN_AFTER", 50_000)):
        monkeypatch.setattr(collect, name, size)
    for name in ("_SMALLEST_CHUNK", "_LARGEST_CHUNK", "_COUNTED_TOGETHER"):
        monkeypatch.setattr(collect, name, 20_000)


LINES = {
    "alike": alike(9000),
    "different": different(9000),
    "first alike": alike(9000) + different(9000),
    "in turn": [line for pair in zip(alike(9000), different(9000), strict=True) for line in pair],
    "not text": different(9000, alphabet=bytes(byte for byte in range(256) if byte not in b"\t\n")),
    "controls": different(5000, alphabet=b"a\x01\x08b"),
    "controls first": different(5000, alphabet=b"a\x01\x08b") + [b"a\t1", b"ab\t1"] * 20_000,
    "keys alone": [line.partition(b"\t")[0] for line in different(9000)],
    "few": [b"a", b"a\t", b"", b"a\tb", b"k" * 127, b"k" * 128],
    "none": [],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("reduces", [1, 3, 4, 130])
def test_what_goes_in_comes_out_in_order(tmp_path, small_sizes, lines, reduces):
    check(tmp_path, lines, reduces)


@pytest.mark.parametrize(
    ("layout", "partition", "hashed"),
    [
        (Layout(plain=False, key_class=TEXT, value_class=TEXT, order=lambda key: key[:2]), None, True),
        (Layout(plain=False, key_class=LONG, value_class=TEXT), hash_partitioner(3), True),
        (PLAIN, lambda key: len(key) % 3, False),
    ],
    ids=["comparator", "numbers", "partitioner"],
)
def test_pairs_that_are_not_ordered_or_divided_as_texts_are(tmp_path, small_sizes, layout, partition, hashed):
    chance = random.Random(4)
    keys = [chance.randrange(2000) for _ in range(20_000)]
    # Only a comparator keeps the order in which pairs came, also of those that come again.
    values = [b"%d" % (number % 2) if layout.order else b"1" for number in range(20_000)]
    pairs = list(zip(keys if layout.key_class == LONG else [b"%d" % key for key in keys], values, strict=True))
    shuffle = Shuffle(layout, tmp_path, 3 if partition else 1, partition, hashed)
    lines = [layout.encode(*pair)[:-1] for pair in pairs]
    parts, (map_output,) = merged(shuffle, [collected(shuffle, "one", lines, 500)])
    assert map_output.weight == (weight(lines) if layout.plain else 0)  # others are weighed as they are encoded
    for number, part in enumerate(parts):
        mine = [pair for pair in pairs if not partition or partition(pair[0]) == number]
        expected = sorted(mine, key=lambda pair: layout.order(pair[0]) if layout.order else pair[0])
        assert [layout.decode(line) for line in part] == expected


def test_a_line_that_came_more_often_than_a_block_holds():
    blocks = list(counted_blocks([Counted(b"a\t1\n", [BLOCK])], keyed=False))
    assert b"".join(block.text for block in blocks) == b"a\t1\n" * BLOCK
    assert sum(block.distinct.count(b"\n") + block.repeated for block in blocks) == BLOCK


def test_a_run_that_is_gone_fails_the_task(tmp_path):
    runs = [tmp_path / "there", tmp_path / "gone"]
    runs[0].write_bytes(b"a\t\n")
    merge = Merge(Shuffle(PLAIN, tmp_path), [MapOutput(runs={0: runs})], 0, keyed=False)
    with pytest.raises(TaskFailure, match="gone"):
        list(merge.blocks())
    merge.close()


def test_lines_that_come_again_and_again_are_counted(tmp_path, small_sizes):
    _, map_outputs = shuffled(tmp_path, [b"the\t1", b"a\t1"] * 40_000, 1)
    assert [(map_output.runs, sum(map_output.counted[0].numbers)) for map_output in map_outputs] == [({}, 40_000)] * 2


def test_long_lines_are_not_gathered_in_memory(tmp_path):
    collector = Collector(Shuffle(PLAIN, tmp_path), "worker")
    for number in range(24):
        collector.add(b"%d%s\n" % (number, b"x" * (1 << 20)))
    assert len(list(tmp_path.iterdir())) >= 2
    assert collector.close().counted == {}


def test_a_word_count_of_many_words_is_spilled_in_runs(tmp_path, small_sizes):
    _, map_outputs = shuffled(tmp_path, alike(20_000), 1, block=1000)
    assert [bool(map_output.runs) for map_output in map_outputs] == [True, True]


def numbered_lines(counter):
    return sorted(zip(split_lines(counter.text), counter.numbers, strict=True))


@given(st.lists(st.sampled_from([b"", b"a", b"a\0", b"b" * 9, b"c" * 300, b"c" * 299 + b"d", b"\xff" * 8]), min_size=1))
def test_lines_counted_with_numpy(lines):
    arrays.load_numpy()
    text = b"".join(line + b"\n" for line in lines)
    counter, short = LineCounter(len(text)), LineCounter(len(text) - 1)
    for one in (counter, short):
        for start in range(0, len(lines), 3):
            one.add(b"".join(line + b"\n" for line in lines[start : start + 3]))
            one.count()
    assert numbered_lines(counter) == sorted(Counter(lines).items())
    assert (counter.counted, counter.size) == (len(lines), len(text))
    assert (b"".join(counter.kept), short.kept) == (text, [])


def test_the_length_of_a_line_is_no_part_of_its_last_byte():
    """Added to the word as it is, 8 carries out of a last byte 0xFF, and leaves the 7 of the next word's line."""
    arrays.load_numpy()
    text = b"\xfe" * 6 + b"\xff\n" + b"\xfe" * 7 + b"\xff\n"
    assert arrays.count_distinct(text, []) == (text, [1, 1])


def test_different_lines_with_one_hash_are_told_apart(monkeypatch):
    arrays.load_numpy()
    monkeypatch.setattr(arrays, "_GOLDEN", 0)
    assert arrays.count_distinct(b"aa\naa\n", []) == (b"aa\n", [2])
    assert arrays.count_distinct(b"aa\nab\naa\n", []) is None
    counter = LineCounter(0)
    counter.add(b"aa\nab\naa\n")
    counter.count()
    assert numbered_lines(counter) == [(b"aa", 2), (b"ab", 1)]
    counter.add(b"aa\nac\n")
    counter.count()
    assert numbered_lines(counter) == [(b"aa", 3), (b"ab", 1), (b"ac", 1)]


KEYS = st.one_of(
    st.binary(max_size=6), st.text("ab\xe9", max_size=20).map(lambda text: b"common beginning" + text.encode())
)


@given(
    st.lists(st.tuples(KEYS, st.sampled_from([b"\t", b"\tv", b"\ta\tb", b"\t" + b"z" * 300])), min_size=1),
    st.booleans(),
    st.sampled_from([1, 2, 3, 4, 7, 256, 257, 70_000]),
)
def test_lines_put_in_order_at_once(pairs, bare, reduces):
    arrays.load_numpy()
    keys = [bytes(byte for byte in key if byte > 10) for key, _ in pairs]
    lines = [key if bare else key + rest for key, (_, rest) in zip(keys, pairs, strict=True)]
    ordered = arrays.sort_lines([line + b"\n" for line in lines], reduces)
    partition = hash_partitioner(reduces) if reduces > 1 else lambda _: 0
    expected = sorted(as_pairs(lines), key=lambda line: (partition(line.partition(b"\t")[0]), line))
    assert bytes(ordered.text).split(b"\n")[:-1] == expected
    for number, line in enumerate(expected):
        part = partition(line.partition(b"\t")[0])
        at = sum(len(other) + 1 for other in expected[:number])
        assert ordered.borders[part] <= at < ordered.borders[part + 1]
    assert ordered.weight == weight(lines)


def test_lines_with_control_characters_are_not_put_in_order_at_once():
    arrays.load_numpy()
    assert arrays.sort_lines([b"b\n", b"a\x01\n"], 1) is None


@pytest.mark.parametrize("reduces", [3, 4])
def test_keys_of_megabytes(tmp_path, small_sizes, reduces):
    chance = random.Random(2)
    check(
        tmp_path, [bytes(chance.choices(b"ab\xe9", k=size)) for size in (3, 1 << 20, (1 << 20) + 1, 2_500_000)], reduces
    )


def test_lines_with_much_in_common(tmp_path, small_sizes):
    check(tmp_path, [b"x" * 200 + b"%d" % (number * 7919 % 5000) for number in range(5000)], 3)


KEY = st.sampled_from(
    [
        b"",
        b"a",
        b"ab",
        b"b",
        b"abcdefgh",
        b"abcdefgi",
        b"abcdefgha",
        b"c" * 63,
        b"c" * 64,
        b"c" * 200,
        b"c" * 199 + b"d",
    ]
)
VALUE = st.sampled_from([b"", b"a", b"v\tw", b"abcdefgh"])


@pytest.mark.parametrize("together", [True, False])
@given(st.lists(st.tuples(KEY, VALUE), min_size=1))
def test_groups_counted_with_numpy(together, pairs):
    arrays.load_numpy()
    if together:
        pairs.sort()
    blocks = [b"".join(b"%b\t%b\n" % pair for pair in pairs[start : start + 3]) for start in range(0, len(pairs), 3)]
    counter = GroupCounter(together=together)
    for block in blocks:
        assert counter.add(block) == block.count(b"\n")
    assert counter.groups == sum(1 for _ in groupby(pairs, key=lambda pair: pair[0]))


LONG_LINES = [b"x" * 3000 + b"%d\t" % number for number in range(60)]
MEMORY = {
    "long lines": LONG_LINES,
    "a long line among many short ones": [line for long in LONG_LINES for line in (long, *[b"the\t1"] * 40)],
    "long lines that come again and again": [line for long in LONG_LINES for line in [long] * 5],
}


@pytest.mark.parametrize("lines", MEMORY.values(), ids=MEMORY)
@pytest.mark.parametrize("reduces", [1, 3])
def test_no_more_is_counted_than_memory_is_set_aside_for(tmp_path, small_sizes, monkeypatch, lines, reduces):
    monkeypatch.setattr(collect, "_DECIDED_AFTER_BYTES", 5000)
    monkeypatch.setattr(collect, "_MOST_COUNTED_BYTES", 20_000)
    _, map_outputs = shuffled(tmp_path, lines, reduces, block=5)
    for map_output in map_outputs:
        held = sum(len(counted.text) for counted in map_output.counted.values())
        assert held <= 20_000 + 5 * len(LONG_LINES[-1])
        assert map_output.runs
    check(tmp_path, lines, reduces)


@pytest.mark.parametrize(("limit", "width"), [(resource.RLIM_INFINITY, 5), (1024, 5), (6, 3), (3, 2)])
def test_as_many_runs_are_merged_at_once_as_files_may_be_open(tmp_path, monkeypatch, limit, width):
    started = []

    def start(words, **options):
        started.extend(words)
        return subprocess.Popen(words, **options)

    monkeypatch.setattr(merge, "subprocess", SimpleNamespace(Popen=start, DEVNULL=subprocess.DEVNULL, PIPE=-1))
    limits = SimpleNamespace(**{**vars(resource), "getrlimit": lambda _: (limit, limit)})
    monkeypatch.setattr(merge, "resource", limits)
    runs = [tmp_path / str(number) for number in range(5)]
    for run in runs:
        run.write_bytes(b"%b\t\n" % run.name.encode())
    merged = Merge(Shuffle(PLAIN, tmp_path), [MapOutput(runs={0: runs})], 0, keyed=False)
    assert b"".join(block.text for block in merged.blocks()) == b"0\t\n1\t\n2\t\n3\t\n4\t\n"
    merged.close()
    assert f"--batch-size={width}" in started


def test_different_lines_of_a_small_input_are_sorted_and_not_counted_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "_DECIDED_AFTER", 1000)
    collector = Collector(Shuffle(PLAIN, tmp_path, hashed=True), "one")
    collector.add(b"".join(b"%d\n" % (number * 7919 % 5000) for number in range(5000)))
    collected = collector.close()
    assert collected.counted == {}
    (run,) = collected.runs[0]
    assert run.read_bytes() == b"".join(sorted(b"%d\t\n" % number for number in range(5000)))
