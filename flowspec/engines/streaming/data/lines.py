"""Lines in blocks: what Hadoop's line reader does to them, at the speed of `bytes` methods.

A *chunk* is any piece of a stream; a *block* holds whole lines, each ended by LF. In a *tabbed* block
every line has a TAB, so that it is a key, a TAB and a value. Nothing here loops over the lines of an
ordinary block: a wordcount has tens of millions of them.

Sources: org.apache.hadoop.util.LineReader (line ends), org.apache.hadoop.io.WritableUtils (sizes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from operator import ne
from typing import NamedTuple

from flowspec.engines.streaming.data import arrays

BLOCK = 1 << 20  # bytes read at a time

LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_LOW = bytes(range(9))
_LINE_WITHOUT_TAB = re.compile(rb"^([^\t\n]*)$", re.MULTILINE)
_KEY = re.compile(rb"^[^\t]*\t", re.MULTILINE)


def unify(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the stream with LF for each line end: CR, LF and CRLF all end a line, and the last line gets one."""
    held, last = b"", b"\n"
    for chunk in chunks:
        text = held + chunk if held else chunk
        held = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # whether an LF follows shows in the next chunk
                held, text = b"\r", text[:-1]
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if text:
            yield text
            last = text[-1:]
    if held or last != b"\n":
        yield b"\n"


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the chunks of a unified stream as blocks of whole lines."""
    parts: list[bytes] = []
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            parts.append(chunk)
            continue
        if parts or cut < len(chunk):
            yield b"".join((*parts, memoryview(chunk)[:cut]))
        else:
            yield chunk
        parts = [chunk[cut:]] if cut < len(chunk) else []


def split_lines(block: bytes) -> list[bytes]:
    """Returns the lines of a block, without their ends."""
    lines = block.split(b"\n")
    lines.pop()
    return lines


def until_match(chunks: Iterable[bytes], pattern: re.Pattern[bytes], *, overlap: int) -> Iterator[bytes]:
    """Joins chunks until a match of `pattern` ends in them, and yields the joined pieces; the last one may have none.

    `overlap` is the number of bytes of a match that can be in the chunk before. Each chunk is searched and copied
    once: appending every chunk to what is held would copy a record of n chunks n times.
    """
    held: list[bytes] = []
    tail = b""
    for chunk in chunks:
        held.append(chunk)
        window = tail + chunk if tail else chunk
        tail = window[len(window) - overlap :]
        if pattern.search(window):
            yield b"".join(held) if len(held) > 1 else chunk
            held = []
    if held:
        yield b"".join(held)


def text_lines(chunks: Iterable[bytes], offset: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Yields each line of a stream that begins at `offset`: its own offset, its text, its size with its end."""
    rest = b""
    for piece in until_match(chunks, LINE_END, overlap=1):
        text, start = rest + piece, 0
        for end in LINE_END.finditer(text):
            yield offset + start, text[start : end.start()], end.end() - start
            start = end.end()
        rest = text[start:]
        offset += start
    if rest:
        yield offset, rest.removesuffix(b"\r"), len(rest)


def delimited(chunks: Iterable[bytes], delimiter: bytes, offset: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Reads lines as `text_lines` does, for records that end at `delimiter` only."""
    rest = b""
    for piece in until_match(chunks, re.compile(re.escape(delimiter)), overlap=len(delimiter) - 1):
        *records, rest = (rest + piece).split(delimiter)
        for record in records:
            size = len(record) + len(delimiter)
            yield offset, record, size
            offset += size
    if rest:
        yield offset, rest, len(rest)


class Tabbed(NamedTuple):
    """A tabbed block and its number of lines.

    `low`: a byte below TAB is in it, which makes the order of whole lines differ from that of keys.
    """

    block: bytes
    records: int
    low: bool


class SortedBlock(NamedTuple):
    """Lines in order, as a tabbed block, and the same lines without the `repeated` ones, as far as these are known.

    Groups are counted in the `distinct` lines.
    """

    text: bytes
    distinct: bytes
    repeated: int


def sorted_block(text: bytes) -> SortedBlock:
    """Returns a block of lines of which none is known to be repeated."""
    return SortedBlock(text, text, 0)


def tabbed(block: bytes) -> Tabbed:
    """Returns a block in which each line without a TAB got one at its end: the whole line is the key."""
    # The two usual cases first: no TAB at all, and one in each line.
    if b"\t" not in block and not any(byte in block for byte in _LOW):
        return Tabbed(block.replace(b"\n", b"\t\n"), arrays.count_lines(block), low=False)
    skeleton = arrays.keep_up_to_lf(block)
    if skeleton == b"\t\n" * (len(skeleton) // 2):
        return Tabbed(block, len(skeleton) // 2, low=False)
    tabs, records = skeleton.count(b"\t"), skeleton.count(b"\n")
    low = len(skeleton) > tabs + records
    if not tabs:
        return Tabbed(block.replace(b"\n", b"\t\n"), records, low)
    if low:
        skeleton = skeleton.translate(None, _LOW)
    if skeleton.startswith(b"\n") or b"\n\n" in skeleton:
        block = _LINE_WITHOUT_TAB.sub(rb"\1\t", block[:-1]) + b"\n"
    return Tabbed(block, records, low)


def runs(block: bytes) -> Iterator[tuple[int, int]]:
    """Yields the start and end of each run of lines with the same key, in a tabbed block with equal keys together."""
    position, end = 0, len(block)
    while position < end:
        stop = _end_of_run(block, block[position : block.find(b"\t", position) + 1], position)
        yield position, stop
        position = stop


def _end_of_run(block: bytes, key: bytes, low: int) -> int:
    """Returns the end of the run of lines that begin with `key`; the line at `low` is one of them."""
    high, step = len(block), 64
    while low + step < high:  # gallop
        probe = block.rfind(b"\n", low, low + step) + 1
        if probe <= low:
            probe = block.find(b"\n", low + step) + 1
        if probe >= high or not block.startswith(key, probe):
            high = probe
            break
        low, step = probe, step * 2
    while True:  # halve: the line at low has the key, the one at high has not (or is the end)
        probe = block.rfind(b"\n", low, (low + high) // 2) + 1
        if probe <= low:
            probe = block.find(b"\n", low) + 1
            if probe >= high or not block.startswith(key, probe):
                return probe
            low = probe
        elif block.startswith(key, probe):
            low = probe
        else:
            high = probe


class GroupCounter:
    """Counts the groups (runs of the same key) of a stream of tabbed blocks.

    `together`: equal keys are adjacent, as after a sort. Then long runs are skipped by binary search; otherwise
    (the output of a combiner need not be sorted) each key is compared with the one before.
    """

    # Records in a run, from which its end is searched for: that takes about 10 us, comparing a key 0.4 us, with numpy
    # 0.06 us.
    _WORTH_LEAPING = 24
    _WORTH_LEAPING_WITH_NUMPY = 160

    def __init__(self, *, together: bool) -> None:
        self.groups = 0
        self._together = together
        self._last = b""
        self._run_length = 0.0  # of the block before; comparing keys first is cheap, searching for runs of one is not

    def add(self, block: bytes) -> int:
        """Counts the groups of the next block of the stream, and returns the number of its lines."""
        enough = self._WORTH_LEAPING_WITH_NUMPY if arrays.numpy_is_loaded() else self._WORTH_LEAPING
        leap = self._together and self._run_length >= enough
        records, groups = self._count_by_runs(block) if leap else self._count_by_comparison(block)
        self.groups += groups
        self._run_length = records / max(groups, 1)
        return records

    def _count_by_runs(self, block: bytes) -> tuple[int, int]:
        starts = [start for start, _ in runs(block)]
        continued = bool(self._last) and block.startswith(self._last)
        self._last = _key_at(block, starts[-1])
        return arrays.count_lines(block), len(starts) - continued

    def _count_by_comparison(self, block: bytes) -> tuple[int, int]:
        """Compares each key with the one before."""
        if arrays.numpy_is_loaded():
            before, self._last = self._last, _key_at(block, block.rfind(b"\n", 0, -1) + 1)
            records, repeated = arrays.count_keys(block)
            return records, records - repeated - block.startswith(before or b"\n")
        keys: list[bytes] = _KEY.findall(block)
        groups: int = (keys[0] != self._last) + sum(map(ne, keys, keys[1:]))
        self._last = keys[-1]
        return len(keys), groups


def _key_at(block: bytes, start: int) -> bytes:
    """Returns the key of the line at `start`, with its TAB."""
    return block[start : block.find(b"\t", start) + 1]
