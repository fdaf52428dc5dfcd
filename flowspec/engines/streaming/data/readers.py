"""Reads a split: finds the bytes of the file that belong to it, decompresses them, and yields what the mapper gets.

Two ways lead to a mapper. `text_chunks` passes the lines on in large pieces and looks at them only as
a whole. `records` gives key and value one by one: for mappers that get the key, for other input
formats, and for Java mappers.

Sources: org.apache.hadoop.mapred.LineRecordReader (borders, byte order mark, maxlength),
KeyValueLineRecordReader, org.apache.hadoop.io.compress.CompressionCodecFactory (suffixes).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, pairwise
from typing import BinaryIO

from flowspec.engines.streaming.data import bzip, processes
from flowspec.engines.streaming.data.inputs import CombinedSplit, Split, TaskInput
from flowspec.engines.streaming.data.lines import BLOCK, LINE_END, delimited, text_lines, unify, until_match
from flowspec.engines.streaming.hadoop.classes import KEY_VALUE_INPUT
from flowspec.engines.streaming.hadoop.configuration import Configuration
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.records import Pair

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_SCAN = 1 << 16
_NOT_HERE = (".snappy", ".lz4", ".zst")
_UNLIMITED = (1 << 31) - 1


class SplitReader:
    """An open split. `position` is how far the file has been read, in bytes of the (compressed) file.

    Opening raises `TaskFailure` in Hadoop's words for a file that can't be read.
    """

    def __init__(self, split: Split, conf: Configuration, input_format: str) -> None:
        self._split = split
        self._conf = conf
        self._input_format = input_format
        self._delimiter = conf.get("textinputformat.record.delimiter").encode("utf-8", "surrogateescape")
        self._max_length = conf.integer("mapreduce.input.linerecordreader.line.maxlength", _UNLIMITED)
        self._codec = split.file.path.suffix.lower()
        self.position = split.start
        try:
            self._file: BinaryIO = split.file.path.open("rb", buffering=0)
        except OSError as error:
            name = split.file.path if split.file.uri.startswith("file:") else split.file.uri
            raise TaskFailure(f"java.io.FileNotFoundException: {name} ({error.strerror})") from error
        self._check_codec()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    @property
    def done(self) -> int:
        """The bytes of the split that have been read."""
        return min(self._split.length, self.position - self._split.start)

    @property
    def is_plain_text(self) -> bool:
        """True if the records are lines without a length limit, so that `text_chunks` has all their data."""
        return not self._delimiter and self._max_length >= _UNLIMITED

    @property
    def longest(self) -> int | None:
        """The bytes that `text_chunks` yields at most; None if that is not known."""
        return None if self._compressed else self._split.file.size - self._split.start + 1  # a line end may be added

    def text_chunks(self) -> Iterator[bytes]:
        """Returns the lines of the split, each ended by LF, in chunks of any size."""
        offset, chunks = self._open()
        return unify(chunks if offset else _without_byte_order_mark(chunks))

    def records(self) -> Iterator[Pair]:
        """Returns key and value of each record: offset and line, or the two parts of the line."""
        if self._input_format != KEY_VALUE_INPUT:
            return self._lines()
        separator = self._conf.get("mapreduce.input.keyvaluelinerecordreader.key.value.separator", "\t")
        byte = bytes([ord(separator[0]) & 0xFF])
        return ((key, value) for _, line in self._lines() for key, _, value in [line.partition(byte)])

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for start, text, length in self._read_records():
            offset, line, size = start, text, length
            if offset == 0 and line.startswith(_BYTE_ORDER_MARK):
                line, size = line[len(_BYTE_ORDER_MARK) :], size - len(_BYTE_ORDER_MARK)
                if not size:
                    return  # the file contains only the mark
            elif self._stops_at_end(offset, offset + len(line)):
                offset, line, size = self._split.end, line[self._split.end - offset :], offset + size - self._split.end
            if 0 < size < self._max_length:
                yield offset, line

    def _stops_at_end(self, offset: int, line_end: int) -> bool:
        """Returns True if a line with a length limit is read as two records: the first ends where the split ends.

        The rest is then a separate record (LineRecordReader.maxBytesToConsume).
        """
        if self.is_plain_text or self._compressed or self._delimiter:
            return False
        end = self._split.end
        return offset < end <= line_end and end - offset >= self._max_length

    def _read_records(self) -> Iterator[tuple[int, bytes, int]]:
        offset, chunks = self._open()
        return delimited(chunks, self._delimiter, offset) if self._delimiter else text_lines(chunks, offset)

    def _open(self) -> tuple[int, Iterator[bytes]]:
        """Returns the offset of the first line of the split, and all its lines."""
        if not self._compressed:
            begin, end = self._line_bounds()
            return begin, self._read_range(begin, end)
        if self._codec != ".bz2":
            self._check_start()
            return 0, _inflate(self._blocks(), self._codec)
        if self._split.length >= self._split.file.size:
            return 0, bzip.unzip(self._blocks())
        chunks = self._bzip_text()
        if not self._split.start:
            return 0, chunks
        thrown, rest = self._first_line(chunks)
        return self._split.start + len(thrown), chain([rest], chunks)

    def _check_start(self) -> None:
        if self._split.start:  # NLineInputFormat cuts any file
            codec = "GzipCodec" if self._codec == ".gz" else "DeflateCodec"
            raise TaskFailure(f"java.io.IOException: Cannot seek in {codec} compressed stream")

    def _bzip_text(self) -> Iterator[bytes]:
        """Yields the text of the blocks of the split, and behind it what ends its last line.

        As in plain text, a line that begins right behind the split is its last one.
        """
        blocks = bzip.blocks(self._file, self._split.start, self._split.end)
        for block in blocks:
            self.position = block.position
            if block.own:
                yield from block.text()
            else:
                text = chain.from_iterable(other.text() for other in chain([block], blocks))
                yield self._first_line(text)[0]
                return

    def _first_line(self, chunks: Iterator[bytes]) -> tuple[bytes, bytes]:
        """Returns the first line with its end, and the other bytes that were read with it."""
        line_end = re.compile(re.escape(self._delimiter)) if self._delimiter else LINE_END
        text = next(until_match(chunks, line_end, overlap=max(1, len(self._delimiter) - 1)), b"")
        found = line_end.search(text)
        return (text[: found.end()], text[found.end() :]) if found else (text, b"")

    @property
    def _compressed(self) -> bool:
        return self._codec in (".gz", ".deflate", ".bz2")

    def _check_codec(self) -> None:
        if self._codec in _NOT_HERE:
            self.close()
            raise TaskFailure(
                f"java.lang.RuntimeException: native {self._codec[1:]} library not available: {self._split.file.uri}"
            )
        if self._codec == ".gz":
            magic = self._file.read(2)
            self._file.seek(0)
            if len(magic) == len(_GZIP) and magic != _GZIP:
                self.close()
                raise TaskFailure("java.io.IOException: not a gzip file")

    def _line_bounds(self) -> tuple[int, int]:
        """Returns the first and the last byte (exclusive) of the lines that belong to the split.

        A split takes the lines that begin behind its first byte, up to one that begins right at its end.
        """
        start, end = self._split.start, self._split.end
        begin = self._after_line_end(start) if start else 0
        if start and begin > end and self._stops_at_end(start, begin - 1) and self._read_at(end - 1, 1) != b"\r":
            begin = end
        return begin, self._after_line_end(end)

    def _after_line_end(self, position: int) -> int:
        """Returns the offset behind the first line end at or after `position`; the file's size when there is none."""
        size = self._split.file.size
        if self._delimiter:
            return self._end_of_delimiter(position, self._delimiter) or size
        scan = position
        while scan < size:
            block = self._read_at(scan, _SCAN)
            if not block:
                break
            ends = [at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0]
            if ends:
                end = scan + min(ends)
                return end + (2 if self._read_at(end, 2) == b"\r\n" else 1)
            scan += len(block)
        return size

    def _end_of_delimiter(self, position: int, delimiter: bytes) -> int:
        scan = position
        while block := self._read_at(scan, _SCAN + len(delimiter) - 1):
            at = block.find(delimiter)
            if at >= 0:
                return scan + at + len(delimiter)
            scan += _SCAN
        return 0

    def _read_at(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)

    def _read_range(self, begin: int, end: int) -> Iterator[bytes]:
        self._file.seek(begin)
        left = end - begin
        while left > 0:
            block = self._file.read(min(BLOCK, left))
            if not block:
                return
            left -= len(block)
            self.position = end - left
            yield block

    def _blocks(self) -> Iterator[bytes]:
        while block := self._file.read(BLOCK):
            self.position += len(block)
            yield block


class CombinedReader:
    """The open parts of a split, one after the other (CombineFileRecordReader). The first is opened at once."""

    def __init__(self, split: CombinedSplit, conf: Configuration, input_format: str) -> None:
        self._split = split
        self._open = partial(SplitReader, conf=conf, input_format=input_format)
        self._read = 0  # bytes of the parts that are done
        self._reader = self._open(split.parts[0])

    def close(self) -> None:
        """Closes the file that is open."""
        self._reader.close()

    @property
    def done(self) -> int:
        """The bytes of the split that have been read."""
        return self._read + self._reader.done

    @property
    def is_plain_text(self) -> bool:
        """True if the records are lines without a length limit, so that `text_chunks` has all their data."""
        return self._reader.is_plain_text

    @property
    def longest(self) -> None:
        """None: the bytes that `text_chunks` yields at most are not known."""

    def text_chunks(self) -> Iterator[bytes]:
        """Returns the lines of all parts, each ended by LF, in chunks of any size."""
        pieces = chain.from_iterable(reader.text_chunks() for reader in self._readers())
        return processes.join_pieces(lambda: next(pieces, b""))

    def records(self) -> Iterator[Pair]:
        """Returns key and value of each record: its offset in its file, and the line."""
        return chain.from_iterable(reader.records() for reader in self._readers())

    def _readers(self) -> Iterator[SplitReader]:
        yield self._reader
        for before, part in pairwise(self._split.parts):
            self._reader.close()
            self._read += before.length
            self._reader = self._open(part)
            yield self._reader


def open_split(split: TaskInput, conf: Configuration, input_format: str) -> SplitReader | CombinedReader:
    """Opens what a map task reads. Raises `TaskFailure`."""
    if isinstance(split, Split):
        return SplitReader(split, conf, input_format)
    return CombinedReader(split, conf, input_format)


def _without_byte_order_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the chunks without a UTF-8 byte order mark at the start."""
    chunks = iter(chunks)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_BYTE_ORDER_MARK):
            break
    if head := head.removeprefix(_BYTE_ORDER_MARK):
        yield head
    yield from chunks


def _inflate(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    """Decompresses gzip (one member after the other) or zlib data. Raises `TaskFailure` where it is damaged."""
    bits = 31 if codec == ".gz" else 15
    engine = zlib.decompressobj(bits)
    begun = True  # an empty file ends too early
    for block in blocks:
        data = block
        while data:
            try:
                text = engine.decompress(data, 4 * BLOCK)
            except zlib.error as error:
                raise TaskFailure(f"java.io.IOException: {_damage_message(str(error), codec)}") from error
            begun = True
            if text:
                yield text
            data = engine.unconsumed_tail
            if engine.eof:
                data = engine.unused_data
                engine, begun = zlib.decompressobj(bits), False
    if begun:
        raise TaskFailure("java.io.EOFException: Unexpected end of input stream")


def _damage_message(said: str, codec: str) -> str:
    """Returns zlib's error in the words of BuiltInGzipDecompressor."""
    said = said.rpartition("decompressing data: ")[2]
    return _GZIP_DAMAGE.get(said, said) if codec == ".gz" else said


_GZIP_DAMAGE = {
    "incorrect header check": "not a gzip file",
    "incorrect data check": "gzip stream CRC failure",
    "incorrect length check": "stored gzip size doesn't match decompressed size",
}
