"""The map side of the shuffle: lines come in as mappers wrote them, and leave as runs in order, by partition.

There are two ways, and a job may go both:

- *counted*: where the same lines come again and again (`the TAB 1`), each is kept once, with how often it
  came. There is next to nothing to sort, and what is left at the end goes to the reducers as it is.
- *sorted*: all other lines, in chunks small enough for the caches, each put in order by a `sort` of its own
  while the next is gathered. A line's partition stands before it meanwhile, so that the chunk comes out
  partition by partition.

Which is which is found out by counting a block now and then.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowspec.engines.streaming import arrays, processes
from flowspec.engines.streaming.failure import TaskFailure
from flowspec.engines.streaming.layout import Layout
from flowspec.engines.streaming.lines import (
    BLOCK,
    Tabbed,
    end_of_run,
    serialized_size,
    split_lines,
    tabbed,
    text_size,
)
from flowspec.engines.streaming.partition import Partitioner

_CHUNKS = 64  # into how many a worker's share of the input is cut, as far as the sizes below allow
_SMALLEST_CHUNK = 8 << 20  # about what the caches hold
_LARGEST_CHUNK = 32 << 20
_SORTS_AT_ONCE = 2  # of a worker, while it gathers the next chunk
_WRITTEN_AT_ONCE = 1 << 18  # bytes
KEYED = ("-t", "\t", "-k1,1", "-s")

_DECIDED_AFTER = 1 << 16  # lines, from where it can be told whether they are worth counting,
_DECIDED_AFTER_BYTES = 8 << 20  # or bytes of long ones
_WORTH_COUNTING = 3  # times that a line must come, on average
_MOST_COUNTED = 1 << 18  # different lines
_MOST_COUNTED_BYTES = 32 << 20
_LOOK_AGAIN_AFTER = 128 << 20  # bytes of lines that were not worth it

# A partition's number is written in bytes that are not in UTF-8: mostly they can be told from the text.
_ZERO = 0xF5
_DIGITS = 256 - _ZERO
_ALL_DIGITS = bytes(range(_ZERO, 256))


@dataclass
class Spool:
    """Pairs on their way to the reducers, by partition: files of lines in order, and lines with their counts.

    `keyed`: the runs must be merged by key alone; `bare`: no pair has a value; `weight`: how many bytes the
    keys and values take when serialized, as far as nobody has counted that yet.
    """

    runs: dict[int, list[Path]] = field(default_factory=dict)
    counted: dict[int, dict[bytes, int]] = field(default_factory=dict)
    keyed: bool = False
    bare: bool = True
    weight: int = 0

    @property
    def partitions(self) -> list[int]:
        """Those that have pairs, in order."""
        return sorted({*self.runs, *self.counted})


@dataclass(frozen=True, slots=True)
class Shuffle:
    """How the pairs of a job are laid out and divided, and where what does not fit in memory goes.

    `partition` is None with a single reducer; `hashed`: it is Hadoop's default; `size`: bytes of the input.
    """

    layout: Layout
    scratch: Path
    reduces: int = 1
    partition: Partitioner | None = None
    hashed: bool = False
    size: int = 0

    @property
    def chunk(self) -> int:
        """How many bytes are sorted together."""
        return min(max(self.size // _CHUNKS, _SMALLEST_CHUNK), _LARGEST_CHUNK)

    @property
    def width(self) -> int:
        """How many digits the number of a partition takes."""
        width, room = 0, 1
        while room < self.reduces:
            width, room = width + 1, room * _DIGITS
        return width

    def prefix(self, partition: int) -> bytes:
        """The number of a partition, in the order of its bytes."""
        digits = [_ZERO + partition // _DIGITS**at % _DIGITS for at in range(self.width)]
        return bytes(reversed(digits))

    def sort(self, *options: str) -> list[str]:
        """The words of a `sort`."""
        memory = f"--buffer-size={4 * self.chunk}b"
        return ["sort", *options, memory, "--parallel=1", f"--temporary-directory={self.scratch}"]


class Collector:
    """Takes lines, each ended by LF, and gives them back as a `Spool`; its files are named after `name`."""

    def __init__(self, shuffle: Shuffle, name: str) -> None:
        self._shuffle = shuffle
        self._name = name
        self._spool = Spool()
        self._counts: Counter[bytes] = Counter()
        self._lines = 0  # counted so far, and
        self._size = 0  # their bytes
        self._wait = 0  # bytes to come that are not to be counted
        self._chunks = {False: _Chunk(), True: _Chunk()}  # sorted as whole lines, and by key alone
        self._sorts: deque[_Sort] = deque()
        self._files = 0
        self._digits_in_text = False  # as far as is known

    def add(self, block: bytes) -> None:
        """Take a block of whole lines. Raises `TaskFailure` or `OSError`."""
        if self._wait > 0:
            self._wait -= len(block)
            self._add_to_chunk(block)
            return
        lines = split_lines(block)
        self._counts.update(lines)
        self._lines += len(lines)
        self._size += len(block)
        if self._lines >= _DECIDED_AFTER or self._size >= _DECIDED_AFTER_BYTES:
            self._decide()

    def close(self) -> Spool:
        """All lines in order. Raises `TaskFailure` or `OSError`."""
        self._spool.counted = self._take_counted()
        for keyed in self._chunks:
            self._sort_chunk(keyed)
        while self._sorts:
            self._finish_sort()
        return self._spool

    def kill(self) -> None:
        """End what runs."""
        while self._sorts:
            self._sorts.popleft().kill()

    def _decide(self) -> None:
        different = len(self._counts)
        if self._lines < _WORTH_COUNTING * different:
            lines = self._counts.elements()
            self._wait = _LOOK_AGAIN_AFTER
            self._add_to_chunk(b"".join([line + b"\n" for line in lines]))
            self._forget_counts()
        elif different > _MOST_COUNTED or different * (self._size // self._lines) > _MOST_COUNTED_BYTES:
            for partition, counted in self._take_counted().items():
                path = self._new_file(partition)
                write_counted(path, counted, keyed=self._spool.keyed)
                self._spool.runs.setdefault(partition, []).append(path)

    def _forget_counts(self) -> None:
        self._counts.clear()
        self._lines = self._size = 0

    # -- counted lines

    def _take_counted(self) -> dict[int, dict[bytes, int]]:
        """The counted lines by partition, each with its TAB; what is known of them goes to the spool."""
        shuffle, spool = self._shuffle, self._spool
        plain, partition = shuffle.layout.plain, shuffle.partition
        taken: dict[int, dict[bytes, int]] = {}
        part = taken.setdefault(0, {}) if self._counts and partition is None else {}
        for line, number in self._counts.items():
            text = line if not plain or b"\t" in line else line + b"\t"
            spool.weight += number * self._weigh(text)
            if partition:
                part = taken.setdefault(partition(shuffle.layout.key(text)), {})
            # `a` and `a TAB` are the same pair.
            part[text] = part.get(text, 0) + number
        known = tabbed(b"".join([line + b"\n" for part in taken.values() for line in part]))
        spool.keyed = spool.keyed or known.low or (bool(taken) and not plain)
        spool.bare = spool.bare and plain and all(line.endswith(b"\t") for part in taken.values() for line in part)
        self._forget_counts()
        return taken

    def _weigh(self, text: bytes) -> int:
        if not self._shuffle.layout.plain:
            return 0  # the pairs were weighed when they were written as lines
        if len(text) < 128:
            return len(text) + 1
        key = text.index(b"\t")
        return text_size(key) + text_size(len(text) - key - 1)

    # -- sorted lines

    def _add_to_chunk(self, block: bytes) -> None:
        shuffle, spool = self._shuffle, self._spool
        keyed = not shuffle.layout.plain
        prepared: bytes | bytearray = block
        if shuffle.layout.plain:
            known = tabbed(block)
            keyed = known.low
            spool.bare = spool.bare and known.bare
            prepared = self._prepared(known)
        elif shuffle.partition:
            prepared = self._each_prefixed(block)
        spool.keyed = spool.keyed or keyed
        chunk = self._chunks[keyed]
        chunk.parts.append(prepared)
        chunk.size += len(prepared)
        if chunk.size >= shuffle.chunk:
            self._sort_chunk(keyed)

    def _prepared(self, known: Tabbed) -> bytes | bytearray:
        """A tabbed block, weighed, with its partition before each line where there are several."""
        shuffle, block = self._shuffle, known.block
        if not arrays.enlisted():
            self._spool.weight += serialized_size(block)
            return self._each_prefixed(block) if shuffle.partition else block
        lines = arrays.Lines(block, bare=known.bare)
        self._spool.weight += len(block) + lines.extra_sizes()
        if not shuffle.partition:
            return block
        if not shuffle.hashed or len(block) > arrays.MOST_AT_ONCE:
            return self._each_prefixed(block)
        self._digits_in_text = self._digits_in_text or arrays.highest(block) >= _ZERO
        return lines.prefixed(lines.hash_partitions(shuffle.reduces), shuffle.width, _DIGITS, _ZERO)

    def _each_prefixed(self, block: bytes) -> bytes:
        """The block with its partition before each line."""
        shuffle = self._shuffle
        assert shuffle.partition
        self._digits_in_text = True
        partition, key, prefix = shuffle.partition, shuffle.layout.key, shuffle.prefix
        return b"".join([b"%b%b\n" % (prefix(partition(key(line))), line) for line in split_lines(block)])

    def _sort_chunk(self, keyed: bool) -> None:
        chunk = self._chunks[keyed]
        if not chunk.size:
            return
        if len(self._sorts) >= _SORTS_AT_ONCE:
            self._finish_sort()
        self._chunks[keyed] = _Chunk()
        words = self._shuffle.sort(*(KEYED if keyed else ()))
        self._sorts.append(_Sort(words, chunk.parts, self._new_file(0)))

    def _finish_sort(self) -> None:
        """Wait for the oldest sort. Its output is a run, or is cut into those of its partitions."""
        output = self._sorts.popleft().finish()
        if self._shuffle.partition is None:
            self._spool.runs.setdefault(0, []).append(output)
            return
        data = output.read_bytes()
        output.unlink()
        at = 0
        while at < len(data):
            prefix = data[at : at + self._shuffle.width]
            end = end_of_run(data, prefix, at)
            partition = self._numbered(prefix)
            path = self._new_file(partition)
            path.write_bytes(self._unprefixed(data[at:end], prefix))
            self._spool.runs.setdefault(partition, []).append(path)
            at = end

    def _unprefixed(self, lines: bytes, prefix: bytes) -> bytes:
        if not self._digits_in_text:
            return lines.translate(None, _ALL_DIGITS)
        return lines[len(prefix) :].replace(b"\n" + prefix, b"\n")

    def _numbered(self, prefix: bytes) -> int:
        number = 0
        for digit in prefix:
            number = number * _DIGITS + digit - _ZERO
        return number

    def _new_file(self, partition: int) -> Path:
        self._files += 1
        return self._shuffle.scratch / f"{self._name}-{self._files}-{partition}"


@dataclass(slots=True)
class _Chunk:
    """Blocks that wait to be sorted together."""

    parts: list[bytes | bytearray] = field(default_factory=list)
    size: int = 0


class _Sort:
    """A `sort` that was given all its input, and writes its output to a file.

    It needs no word from us to end, so it may outlive a killed job by the blink of an eye.
    """

    def __init__(self, words: list[str], parts: list[bytes | bytearray], output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = start_sort(words, stdin=subprocess.PIPE, stdout=file)
        assert self._process.stdin
        processes.widen(self._process.stdin.fileno())
        try:
            for part in parts:
                processes.write_all(self._process.stdin.fileno(), memoryview(part))
        except BrokenPipeError:
            pass  # why is told by `finish`
        self._process.stdin.close()

    def finish(self) -> Path:
        """Wait for the end; the file of lines in order. Raises `TaskFailure`."""
        check_sort(self._process, self._output.parent)
        return self._output

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr
        self._process.stderr.close()


def start_sort(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a `sort` of bytes."""
    if shutil.which("stdbuf"):  # of its own accord, sort writes 4 KiB at a time
        words = ["stdbuf", f"--output={_WRITTEN_AT_ONCE}", *words]
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.Popen(words, bufsize=0, env=environment, stderr=subprocess.PIPE, **options)


def check_sort(process: subprocess.Popen[bytes], scratch: Path) -> None:
    """Wait for a sort. Raises `TaskFailure` with what it said last if it failed."""
    assert process.stderr
    said = process.stderr.read().decode("utf-8", "replace").splitlines()
    process.stderr.close()
    status = process.wait()
    if status and not os.statvfs(scratch).f_bavail:  # `sort: write error` is all that it says then
        raise TaskFailure(f"java.io.IOException: {os.strerror(errno.ENOSPC)}")
    if status:
        raise TaskFailure(f"java.io.IOException: {said[-1] if said else f'sort ended with status {status}'}")


def in_order(counted: Mapping[bytes, int], *, keyed: bool) -> Iterable[tuple[bytes, int]]:
    """Counted lines in the order of the runs."""
    if keyed:
        return sorted(counted.items(), key=lambda item: item[0].partition(b"\t"))
    return sorted(counted.items())


def written_out(counted: Mapping[bytes, int], *, keyed: bool) -> Iterator[bytes]:
    """Counted lines in order, each as often as it came, in blocks of about a megabyte."""
    waiting: list[bytes] = []
    size = 0
    for line, number in in_order(counted, keyed=keyed):
        text, left = line + b"\n", number
        while left:
            now = min(left, 1 + BLOCK // len(text))
            waiting.append(text * now)
            size += len(text) * now
            left -= now
            if size >= BLOCK:
                yield b"".join(waiting)
                waiting.clear()
                size = 0
    if waiting:
        yield b"".join(waiting)


def write_counted(path: Path, counted: Mapping[bytes, int], *, keyed: bool) -> None:
    """Write counted lines as a run. Raises `OSError`."""
    with path.open("wb", buffering=0) as file:
        for block in written_out(counted, keyed=keyed):
            processes.write_all(file.fileno(), memoryview(block))
