"""A .bz2 file that several splits share, beside what real Hadoop 3.4.1 made of the same file."""

import bz2
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.engines.streaming.data import bzip, inputs
from flowspec.engines.streaming.data.readers import SplitReader
from flowspec.engines.streaming.hadoop.classes import TEXT_INPUT
from flowspec.engines.streaming.hadoop.configuration import Configuration
from flowspec.engines.streaming.hadoop.failure import TaskFailure

TEXT = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"word\n"]), min_size=1, max_size=8).map(b"".join)
NOTHING = bz2.compress(b"")
BORDERS = [b"a\nb\n", b"c\r", b"\nd\n", b"e\r", b"f", b"g", b"\n", b"h\n\n", b"\n", b"i", b"\r\n", b"j\nk"]


def streams(*texts):
    """A file with a block for each text (a block of 900 kB is more than a test needs)."""
    return b"".join(bz2.compress(text, 1) for text in texts)


def read(path, block, **properties):
    """The records of each split: offset and line; and the text of each split, as the fast way gives it."""
    pairs = [(name.replace("_", "."), value) for name, value in properties.items()]
    conf = Configuration([("fs.local.block.size", str(block)), *pairs], environ={}, system={})
    file = inputs.InputFile(path, f"file:{path}", path.stat().st_size)
    records, texts = [], []
    for split in inputs.split_files([file], conf):
        reader = SplitReader(split, conf, TEXT_INPUT)
        records.append(list(reader.records()))
        reader.close()
        reader = SplitReader(split, conf, TEXT_INPUT)
        texts.append(b"".join(reader.text_chunks()))
        reader.close()
    return records, texts


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=12), st.integers(1, 200))
def test_every_line_is_in_exactly_one_split(tmp_path_factory, texts, block):
    path = tmp_path_factory.getbasetemp() / "a.bz2"
    path.write_bytes(streams(*texts))
    records, found = read(path, block)
    whole = b"".join(texts).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole = whole if whole.endswith(b"\n") else whole + b"\n"
    assert b"".join(found) == whole
    assert [b"".join(line + b"\n" for _, line in split) for split in records] == found


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=12), st.integers(1, 200))
def test_every_record_with_a_delimiter_is_in_exactly_one_split(tmp_path_factory, texts, block):
    path = tmp_path_factory.getbasetemp() / "delimited.bz2"
    texts = [b"x", *(text.translate(bytes(b"ab\n"[byte % 3] for byte in range(256))) for text in texts)]
    path.write_bytes(streams(*texts))
    records, _ = read(path, block, textinputformat_record_delimiter="ab")
    whole = b"".join(texts).split(b"ab")
    assert [line for split in records for _, line in split] == (whole if whole[-1] else whole[:-1])


@pytest.mark.parametrize("block", [30_000, 61_234, 200_000])
def test_blocks_of_one_stream_begin_at_any_bit(tmp_path, block):
    chance = random.Random(5)
    lines = [b"%x" % chance.getrandbits(chance.randrange(1, 400)) for _ in range(12_000)]
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(b"\r\n".join(lines), 1))
    records, texts = read(path, block)
    assert len([text for text in texts if text]) > 1
    assert [line for split in records for _, line in split] == lines
    assert b"".join(texts) == b"\n".join(lines) + b"\n"


HADOOP = {  # file, size of a block of the file system, and what real Hadoop 3.4.1 read in each split
    "borders beside, before and within line ends": (
        streams(*BORDERS),
        50,
        [
            [(0, b"a"), (2, b"b"), (4, b"c")],
            [(51, b"d"), (53, b"e")],
            [(102, b"fg")],
            [],
            [(201, b"h")],
            [(252, b""), (253, b"")],
            [(301, b"i")],
            [(352, b"j")],
            [(402, b"k")],
            [],
        ],
    ),
    "the first block is read by the first split too, wherever it begins": (
        NOTHING * 9 + bz2.compress(b"x\ny\n") + NOTHING * 20 + bz2.compress(b"z\nw\n") + NOTHING * 4,
        41,
        [
            [(0, b"x"), (2, b"y"), (4, b"z")],
            *[[]] * 2,
            [(125, b"y"), (127, b"z")],
            *[[]] * 7,
            [(453, b"w")],
            *[[]] * 2,
        ],
    ),
}


@pytest.mark.parametrize("name", HADOOP)
def test_splits_are_those_of_hadoop(tmp_path, name):
    data, block, expected = HADOOP[name]
    path = tmp_path / "a.bz2"
    path.write_bytes(data)
    records, _ = read(path, block)
    assert records == expected


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:10] + b"\xff" + data[11:], "crc error"),  # the checksum of the first block
        (lambda data: data[:60] + bytes(4) + data[64:], "crc error"),
        (lambda data: data[:-20], "unexpected end of stream"),
        (lambda data: data[:10], "unexpected end of stream"),
        (lambda data: data[:10] * 2 + bytes(20), "crc error"),
        (lambda data: data[:10] + bytes(5 << 20), "stream corrupted"),
    ],
)
def test_damage_is_told(damage, said):
    data = io.BytesIO(damage(streams(b"some words\n" * 99, b"more words\n")))
    with pytest.raises(TaskFailure, match=f"^java.io.IOException: {said}$"):
        b"".join(text for block in bzip.blocks(data, 0, 1000) for text in block.text())


def test_no_block_no_text():
    assert list(bzip.blocks(io.BytesIO(b"plain text\n" * 300_000), 0, 1000)) == []


def test_the_text_of_a_block_comes_in_pieces():
    [block] = bzip.blocks(io.BytesIO(bz2.compress(bytes(40 << 20), 9)), 0, 100)
    sizes = [len(text) for text in block.text()]
    assert sum(sizes) == 40 << 20
    assert max(sizes) <= 4 << 20
