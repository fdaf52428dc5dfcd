from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.engines.streaming.data import lines
from flowspec.engines.streaming.hadoop import records

TEXT = st.binary(max_size=60).map(lambda data: data.translate(bytes.maketrans(b"abcdef", b"\r\n\t\r\n\x01")))
CUTS = st.lists(st.integers(0, 60), max_size=4)


def cut(data, places):
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def plainly(data):
    """The lines of a text, by the definition: CR, LF and CRLF end a line, and so does the end."""
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.removesuffix(b"\n").split(b"\n") if text else []


@pytest.mark.parametrize(
    ("data", "unified"),
    [
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\rb", b"a\nb\n"),
        (b"a\r\r\nb\n\r", b"a\n\nb\n\n"),
        (b"\n\n", b"\n\n"),
        (b"", b""),
    ],
)
def test_line_ends(data, unified):
    assert b"".join(lines.unify([data])) == unified


@given(TEXT, CUTS)
def test_line_ends_wherever_the_chunks_end(data, places):
    blocks = list(lines.whole_lines(lines.unify(cut(data, places))))
    assert all(block.endswith(b"\n") for block in blocks)
    assert [line for block in blocks for line in lines.split_lines(block)] == plainly(data)


@given(TEXT, CUTS)
def test_lines_with_offsets(data, places):
    found = list(lines.text_lines(cut(data, places), 100))
    assert [line for _, line, _ in found] == plainly(data)
    assert sum(size for *_, size in found) == len(data)
    for offset, line, size in found:
        assert data[offset - 100 : offset - 100 + size].rstrip(b"\r\n") == line.rstrip(b"\r\n")


@pytest.mark.parametrize("cuts", [[], [1], [3, 4], [2, 5, 9]])
def test_records_with_a_delimiter_of_their_own(cuts):
    data = b"a|||b||c\nd||"
    found = list(lines.delimited(cut(data, cuts), b"||"))
    assert found == [(0, b"a", 3), (3, b"|b", 4), (7, b"c\nd", 5)]


@given(st.lists(TEXT.map(lambda text: text.replace(b"\r", b"").replace(b"\n", b"")), min_size=1))
def test_every_line_gets_a_tab(texts):
    block, records, low = lines.tabbed(b"".join(text + b"\n" for text in texts))
    assert lines.split_lines(block) == [text if b"\t" in text else text + b"\t" for text in texts]
    assert records == len(texts)
    assert low == any(byte < 9 for text in texts for byte in text)


@pytest.mark.parametrize(
    ("length", "size"), [(0, 1), (127, 128), (128, 130), (255, 257), (256, 259), (65535, 65538), (65536, 65540)]
)
def test_the_size_of_a_text(length, size):
    assert records.text_size(length) == size


KEYS = st.lists(st.tuples(st.sampled_from([b"", b"a", b"ab", b"b", b"key"]), st.integers(1, 60)), max_size=12)


@given(KEYS, st.integers(0, 3))
def test_runs_of_equal_keys(keys, width):
    counts = dict(keys)
    texts = [(key + b"\t" + b"x" * width + b"\n") * count for key, count in counts.items()]
    block = b"".join(texts)
    found = [(block[start:end], block[start : block.find(b"\t", start)]) for start, end in lines.runs(block)]
    assert found == list(zip(texts, counts, strict=True))


@pytest.mark.parametrize("together", [True, False])
@given(keys=KEYS, size=st.integers(1, 40))
def test_groups_are_counted_across_blocks(together, keys, size):
    texts = [key + b"\tv\n" for key, count in keys for _ in range(count)]
    if together:
        texts.sort()
    counter = lines.GroupCounter(together=together)
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        assert counter.add(b"".join(part)) == len(part)
    assert counter.groups == sum(1 for _ in groupby(texts))


class Copied(bytes):
    """A chunk that counts the bytes of what it is appended to, or that is appended to it."""

    total = 0

    def __radd__(self, before):
        Copied.total += len(before) + len(self)
        return bytes(before) + bytes(self)

    def __add__(self, after):
        Copied.total += len(self) + len(after)
        return bytes(self) + bytes(after)


@pytest.mark.parametrize(
    "read",
    [
        lines.text_lines,
        lambda chunks: lines.delimited(chunks, b"\n"),
        lambda chunks: lines.delimited(chunks, b"#\n"),
        lines.whole_lines,
        lambda chunks: lines.whole_lines(lines.unify(chunks)),
        lambda chunks: lines.until_match(chunks, lines.LINE_END, overlap=1),
    ],
)
def test_a_record_of_many_chunks_is_not_copied_once_for_each_chunk(read):
    Copied.total = 0
    size, count = 100, 400
    found = list(read(iter([Copied(b"x" * size)] * count + [Copied(b"#\nend#\n")])))
    assert len(found) in {1, 2}  # blocks, or records
    assert Copied.total <= 4 * size * count


@given(
    st.lists(
        st.binary(max_size=5).map(lambda data: data.translate(bytes.maketrans(b"abcdef", b"\r\n#\r#\n"))), max_size=8
    ),
    st.sampled_from([b"#", b"##", b"#\n#"]),
)
def test_records_do_not_depend_on_where_the_chunks_end(chunks, delimiter):
    text = b"".join(chunks)
    assert list(lines.text_lines(chunks)) == list(lines.text_lines([text] if text else []))
    # The first delimiter counts where two overlap: after `##`, `###` has one more byte.
    *records, rest = text.split(delimiter)
    assert [record for _, record, _ in lines.delimited(chunks, delimiter)] == records + [rest] * bool(rest)
