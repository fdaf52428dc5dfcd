"""Reads .bz2 files: whole ones stream by stream, those that several splits share block by block.

A file is a row of streams, a stream a row of blocks of up to 900 kB of text, each decodable alone. A block
begins at any bit, with a mark of 48 bits; another such mark stands behind the last block of a stream.

Sources: org.apache.hadoop.io.compress.BZip2Codec.BZip2CompressionInputStream (READ_MODE.BYBLOCK),
org.apache.hadoop.io.compress.bzip2.CBZip2InputStream (skipToNextMarker).
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from flowspec.engines.streaming.data.lines import BLOCK
from flowspec.engines.streaming.hadoop.failure import TaskFailure

_BLOCK_MARK = 0x314159265359
_END_MARK = 0x177245385090
_MARK_BITS = 48
_CRC_BITS = 32
_FIRST_BLOCK = 4  # where the first block of a file begins, behind "BZh9"
_LARGEST_BLOCK = 4 << 20  # more than a block can take, in bytes
_HEADER = re.compile(rb"(?:BZ)?(h[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90))", re.DOTALL)
_END_BITS = f"{_END_MARK:0{_MARK_BITS}b}"
_TAIL = 16  # bytes that hold all of a header or footer
_MARK_BYTES = 7  # that a mark can take part of
_NO_BLOCK = 8 << 62
_CUT_OFF = "java.io.IOException: unexpected end of stream"


def _whole_bytes_of_mark(mark: int, shift: int) -> bytes:
    """Returns the whole bytes of a mark that begins `shift` bits into a byte: six, or five and two cut ones."""
    if not shift:
        return mark.to_bytes(6, "big")
    return (mark >> shift & 0xFFFFFFFFFF).to_bytes(5, "big")


_MARKS = {_whole_bytes_of_mark(mark, shift): (mark, shift) for mark in (_BLOCK_MARK, _END_MARK) for shift in range(8)}
_ANY_MARK = re.compile(b"|".join(map(re.escape, _MARKS)))


def unzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the text of a whole file, stream after stream. Raises `TaskFailure` where it is damaged.

    CBZip2InputStream looks for blocks: what comes before, between or behind streams is passed over.
    """
    rest = b""
    while head := _next_stream(rest, pieces):
        engine = bz2.BZ2Decompressor()
        data, tail = head, b""
        while not engine.eof:
            tail = (tail + data)[-_TAIL:]
            if text := _decompress(engine, data):
                yield text
            data = b""
            if engine.needs_input and not engine.eof:
                data = next(pieces, b"")
                if not data:
                    _check_end(tail)
                    return
        rest = engine.unused_data


def _decompress(engine: bz2.BZ2Decompressor, data: bytes) -> bytes:
    try:
        return engine.decompress(data, 4 * BLOCK)
    except (OSError, ValueError) as error:
        raise TaskFailure("java.io.IOException: crc error") from error


def _next_stream(data: bytes, pieces: Iterator[bytes]) -> bytes:
    """Returns the data from the next header of a stream on; its `BZ` may be missing. Empty where there is none."""
    while not (found := _HEADER.search(data)):
        piece = next(pieces, b"")
        if not piece:
            return b""
        data = data[-_TAIL:] + piece
    return b"BZ" + data[found.start(1) :]


def _check_end(tail: bytes) -> None:
    """Checks the end of a stream: its checksum may be cut off, but nothing before it."""
    bits = f"{int.from_bytes(tail, 'big'):0{8 * len(tail)}b}"
    if _END_BITS not in bits:
        raise TaskFailure(_CUT_OFF)


class Block(NamedTuple):
    """A block: whether it belongs to the split, the byte in which its mark begins, a stream of it alone."""

    own: bool
    position: int
    stream: bytes

    def text(self) -> Iterator[bytes]:
        """Yields its text. Raises `TaskFailure` where it is damaged."""
        engine = bz2.BZ2Decompressor()
        data = self.stream
        while not engine.eof:
            if engine.needs_input and not data:
                raise TaskFailure(_CUT_OFF)
            yield _decompress(engine, data)
            data = b""


def blocks(file: BinaryIO, start: int, end: int) -> Iterator[Block]:
    """Yields the blocks of the split from byte `start` to `end` of a file, then those behind it.

    A block belongs to the split in which its mark begins. The first one of a file belongs to the first
    split, at any position: where it begins is not recorded, and the other splits skip it.
    Raises `TaskFailure` where a block has no end.
    """
    start, end = (max(border, _FIRST_BLOCK + 1) if border else 0 for border in (start, end))
    for number, (position, stream) in enumerate(_streams(file, start)):
        yield Block(position < end or number == start == 0, position, stream)


def _streams(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes]]:
    """Yields position and stream of each block whose mark begins at byte `start` or behind it."""
    window = _Window(file, start)
    opened = _NO_BLOCK
    while True:
        if mark := window.next_mark():
            bit, opens = mark
            if opened != _NO_BLOCK:
                yield opened // 8, _as_single_stream(*window.bits(opened, bit))
            opened = bit if opens else _NO_BLOCK
        elif not window.read_on(opened // 8):
            break
    if opened != _NO_BLOCK:
        raise TaskFailure(_CUT_OFF)


class _Window:
    """A stretch of a file, read on and on, in which marks are looked for. Bits count from the file's start."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        file.seek(start)
        self._file = file
        self._base = start  # bytes before the window
        self._data = b""
        self._scan = 0  # where in the window the next mark is looked for

    def next_mark(self) -> tuple[int, bool] | None:
        """Returns the bit in which the next mark begins, and whether a block begins with it."""
        while found := _ANY_MARK.search(self._data, self._scan):
            mark, shift = _MARKS[found.group()]
            begin = found.start() - (shift > 0)
            if shift and begin + _MARK_BYTES > len(self._data):
                break  # its last bits are still to be read
            self._scan = found.start() + 1
            if begin >= 0 and self._bits_at(begin, shift) == mark:
                return 8 * (self._base + begin) + shift, mark == _BLOCK_MARK
        self._scan = max(self._scan, len(self._data) - _MARK_BYTES + 1)
        return None

    def _bits_at(self, begin: int, shift: int) -> int:
        found = int.from_bytes(self._data[begin : begin + _MARK_BYTES].ljust(_MARK_BYTES, b"\0"), "big")
        return found >> 8 - shift & (1 << _MARK_BITS) - 1

    def read_on(self, needed: int) -> bool:
        """Reads more; forgets all but what is needed, from that byte of the file on. Returns False at its end."""
        drop = max(0, min(needed - self._base, len(self._data) - _MARK_BYTES))
        if len(self._data) - drop > _LARGEST_BLOCK:
            raise TaskFailure("java.io.IOException: stream corrupted")
        piece = self._file.read(BLOCK)
        self._data = self._data[drop:] + piece
        self._base += drop
        self._scan -= drop
        return bool(piece)

    def bits(self, begin: int, end: int) -> tuple[int, int]:
        """Returns the bits of the file between two places as a number, and how many they are."""
        first, last = begin // 8 - self._base, -(-end // 8) - self._base
        size = end - begin
        return int.from_bytes(self._data[first:last], "big") >> -end % 8 & (1 << size) - 1, size


def _as_single_stream(block: int, size: int) -> bytes:
    """Returns a block of `size` bits as a stream: behind it the end mark, and its checksum once more."""
    checksum = block >> max(0, size - _MARK_BITS - _CRC_BITS) & (1 << _CRC_BITS) - 1
    bits = (block << _MARK_BITS | _END_MARK) << _CRC_BITS | checksum
    size += _MARK_BITS + _CRC_BITS
    return b"BZh9" + (bits << -size % 8).to_bytes(-(-size // 8), "big")
