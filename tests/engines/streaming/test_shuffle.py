"""The shuffle, between the mappers' lines and the reducers': counted, sorted, cut and merged."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.engines.streaming import arrays, collect
from flowspec.engines.streaming.classes import TEXT
from flowspec.engines.streaming.collect import Collector, Shuffle
from flowspec.engines.streaming.layout import Layout
from flowspec.engines.streaming.lines import GroupCounter, serialized_size, tabbed
from flowspec.engines.streaming.merge import Merge
from flowspec.engines.streaming.partition import hash_partitioner

PLAIN = Layout(plain=True, key_class=TEXT, value_class=TEXT)


@pytest.fixture
def with_numpy(monkeypatch):
    """numpy is at hand in this test, and not in others."""
    arrays.enlist(1 << 40)
    yield
    monkeypatch.setattr(arrays, "_numpy", None)


def different(count, seed=1, alphabet=b"abcdefgh\xc3\xa9"):
    """Lines of which hardly one is like another; some have no TAB, some several."""
    chance = random.Random(seed)
    ends = (b"", b"\t", b"\t1", b"\tv\tw", b"\t" + b"y" * 300)
    return [bytes(chance.choices(alphabet, k=chance.randrange(24))) + chance.choice(ends) for _ in range(count)]


def alike(count):
    """Lines of a word count."""
    return [b"word%d\t1" % (number * number % 997) for number in range(count)]


def shuffled(tmp_path, lines, reduces, *, block=5000):
    """The lines as each reducer gets them, and the spools they went through: two collectors share them."""
    partition = hash_partitioner(reduces) if reduces > 1 else None
    shuffle = Shuffle(PLAIN, tmp_path, reduces, partition, hashed=True)
    spools = []
    for worker in (0, 1):
        collector = Collector(shuffle, f"worker-{worker}")
        mine = lines[worker::2]
        for start in range(0, len(mine), block):
            collector.add(b"".join(line + b"\n" for line in mine[start : start + block]))
        spools.append(collector.close())
    keyed = any(spool.keyed for spool in spools)
    merges = [Merge(shuffle, spools, number, keyed=keyed) for number in range(reduces)]
    try:
        return [b"".join(merge.blocks()).split(b"\n")[:-1] for merge in merges], spools
    finally:
        for merge in merges:
            merge.close()


def as_pairs(lines):
    return [line if b"\t" in line else line + b"\t" for line in lines]


def check(tmp_path, lines, reduces):
    """What must come of any lines, said in plain Python."""
    parts, spools = shuffled(tmp_path, lines, reduces)
    partition = hash_partitioner(reduces)
    for number, part in enumerate(parts):
        mine = [line for line in as_pairs(lines) if partition(line.partition(b"\t")[0]) == number or reduces == 1]
        assert sorted(part) == sorted(mine)
        keys = [line.partition(b"\t")[0] for line in part]
        assert keys == sorted(keys)
    whole = b"".join(line + b"\n" for line in as_pairs(lines))
    assert sum(spool.weight for spool in spools) == serialized_size(whole)
    assert all(spool.bare for spool in spools) == all(line.endswith(b"\t") for line in as_pairs(lines))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_sizes(monkeypatch):
    """Every limit is met by a few thousand lines."""
    for name, size in (("_DECIDED_AFTER", 1000), ("_MOST_COUNTED", 300), ("_LOOK_AGAIN_AFTER", 50_000)):
        monkeypatch.setattr(collect, name, size)
    for name in ("_SMALLEST_CHUNK", "_LARGEST_CHUNK"):
        monkeypatch.setattr(collect, name, 20_000)


LINES = {
    "alike": alike(9000),
    "different": different(9000),
    "first alike": alike(9000) + different(9000),
    "in turn": [line for pair in zip(alike(9000), different(9000), strict=True) for line in pair],
    "not text": different(9000, alphabet=bytes(byte for byte in range(256) if byte not in b"\t\n")),
    "controls": different(5000, alphabet=b"a\x01\x08b"),
    "keys alone": [line.partition(b"\t")[0] for line in different(9000)],
    "few": [b"a", b"a\t", b"", b"a\tb"],
    "none": [],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("reduces", [1, 3, 4, 130])
def test_what_goes_in_comes_out_in_order(tmp_path, small_sizes, lines, reduces):
    check(tmp_path, lines, reduces)


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("reduces", [1, 3, 4, 130])
def test_numpy_changes_nothing(tmp_path, small_sizes, with_numpy, lines, reduces):
    check(tmp_path, lines, reduces)


def test_lines_that_come_again_and_again_are_counted(tmp_path, small_sizes):
    _, spools = shuffled(tmp_path, [b"the\t1", b"a\t1"] * 40_000, 1)
    assert [(spool.runs, sum(spool.counted[0].values())) for spool in spools] == [({}, 40_000)] * 2


def test_long_lines_are_not_gathered_in_memory(tmp_path):
    collector = Collector(Shuffle(PLAIN, tmp_path), "worker")
    for number in range(24):
        collector.add(b"%d%s\n" % (number, b"x" * (1 << 20)))
    assert len(list(tmp_path.iterdir())) >= 2
    assert collector.close().counted == {}


def test_a_word_count_of_many_words_is_spilled_in_runs(tmp_path, small_sizes):
    _, spools = shuffled(tmp_path, alike(20_000), 1, block=1000)
    assert all(spool.runs for spool in spools)


BLOCKS = st.lists(
    st.tuples(st.binary(max_size=6), st.sampled_from([b"", b"\t", b"\tv", b"\ta\tb", b"\t" + b"z" * 260])),
    min_size=1,
    max_size=30,
).map(lambda pairs: b"".join(key.translate(None, b"\t\n") + rest + b"\n" for key, rest in pairs))


@settings(deadline=None)  # numpy is imported in one of the runs
@given(BLOCKS, st.sampled_from([2, 3, 4, 7, 64, 256, 257, 50_000]))
def test_a_block_of_keys_hashed_at_once(block, reduces):
    arrays.enlist(1 << 40)
    known = tabbed(block)
    lines = arrays.Lines(known.block, bare=known.bare)
    partition = hash_partitioner(reduces)
    keys = [line.partition(b"\t")[0] for line in block.split(b"\n")[:-1]]
    assert lines.hash_partitions(reduces).tolist() == [partition(key) for key in keys]
    assert len(known.block) + lines.extra_sizes() == serialized_size(known.block)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"", b"a", b"ab", b"b", b"abc", b"c" * 200]), min_size=1))
def test_groups_of_keys_alone_counted_at_once(keys):
    arrays.enlist(1 << 40)
    keys.sort()
    blocks = [b"".join(key + b"\t\n" for key in keys[start : start + 3]) for start in range(0, len(keys), 3)]
    counter = GroupCounter(together=False, bare=True)
    for block in blocks:
        counter.add(block, block.count(b"\n"))
    assert counter.groups == len(set(keys))
