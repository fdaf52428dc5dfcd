"""The map side of the shuffle: lines come in as mappers wrote them, and leave as runs in order, by partition.

There are two ways, and a job may go both:

- *counted*: where the same lines come again and again (`the TAB 1`), each is kept once, with how often it
  came. There is next to nothing to sort, and what is left at the end goes to the reducers as it is.
- *gathered*: all other lines, in chunks small enough for the caches, each put in order at once (`arrays`).
  What numpy can't do (keys that are not ordered by their bytes, other partitioners) is counted after all.

Which is which is found out by counting a block now and then.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path

from flowspec.engines.streaming.data import arrays, processes
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.lines import BLOCK, SortedBlock, split_lines, tabbed
from flowspec.engines.streaming.hadoop.partition import Partitioner
from flowspec.engines.streaming.hadoop.records import SHORT, text_size

_CHUNKS = 64  # into how many a worker's share of the input is cut, as far as the sizes below allow
_SMALLEST_CHUNK = 8 << 20  # about what the caches hold
_LARGEST_CHUNK = 32 << 20

_DECIDED_AFTER = 1 << 16  # lines, from where it can be told whether they are worth counting,
_DECIDED_AFTER_BYTES = 8 << 20  # or bytes of long ones
_WORTH_COUNTING = 3  # times that a line must come, on average
_MOST_COUNTED = 1 << 18  # different lines
_MOST_COUNTED_BYTES = 32 << 20
_LOOK_AGAIN_AFTER = 128 << 20  # bytes of lines that were not worth it


@dataclass(frozen=True, slots=True)
class Counted:
    """Lines in order, one after the other, and how often each came.

    They go from process to process as one text: 40,000 lines took 40 ms as a dictionary, and 2 ms like this.
    """

    text: bytes
    numbers: list[int]

    def items(self) -> Iterator[tuple[bytes, int]]:
        """Each line, without its LF, and how often it came."""
        return zip(split_lines(self.text), self.numbers, strict=True)


@dataclass
class MapOutput:
    """Pairs on their way to the reducers, by partition: files of lines in order, and lines with their counts.

    `keyed`: the runs must be merged by key alone; `weight`: how many bytes the keys and values take when
    serialized, as far as nobody has counted that yet.
    """

    runs: dict[int, list[Path]] = field(default_factory=dict)
    counted: dict[int, Counted] = field(default_factory=dict)
    keyed: bool = False
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


class Collector:
    """Takes lines, each ended by LF, and gives them back as a `MapOutput`; its files are named after `name`."""

    def __init__(self, shuffle: Shuffle, name: str) -> None:
        self._shuffle = shuffle
        self._name = name
        self._output = MapOutput()
        self._counts: Counter[bytes] = Counter()
        self._lines = 0  # counted so far,
        self._size = 0  # their bytes, and
        self._held = 0  # those of the different ones
        self._wait = 0  # bytes to come that are not to be counted
        self._chunk: list[bytes] = []  # gathered so far, and
        self._gathered = 0  # their bytes
        self._files = 0

    def add(self, block: bytes) -> None:
        """Take a block of whole lines. Raises `TaskFailure` or `OSError`."""
        if self._shuffle.layout.order:  # counting would lose the order of keys that the comparator finds equal
            self._gather(block)
            return
        if self._wait > 0:
            self._wait -= len(block)
            self._gather(block)
            return
        lines, known = split_lines(block), len(self._counts)
        self._counts.update(lines)
        self._lines += len(lines)
        self._size += len(block)
        self._held += sum(map(len, itertools.islice(reversed(self._counts), len(self._counts) - known)))
        if self._lines >= _DECIDED_AFTER or self._size >= _DECIDED_AFTER_BYTES:
            self._decide()

    def close(self) -> MapOutput:
        """All lines in order. Raises `TaskFailure` or `OSError`."""
        if self._chunk:
            self._sort_chunk()
        self._output.counted = self._take_counted()
        return self._output

    def _decide(self) -> None:
        different = len(self._counts)
        worth_it = self._lines >= _WORTH_COUNTING * different
        if not worth_it:
            self._wait = _LOOK_AGAIN_AFTER
        if not worth_it and self._size <= _MOST_COUNTED_BYTES:
            block = b"".join([line + b"\n" for line in self._counts.elements()])
            self._forget_counts()
            self._gather(block)
        elif not worth_it or different > _MOST_COUNTED or self._held > _MOST_COUNTED_BYTES:
            self._spill_counted()

    def _forget_counts(self) -> None:
        self._counts.clear()
        self._lines = self._size = self._held = 0

    # -- counted lines

    def _take_counted(self) -> dict[int, Counted]:
        """The counted lines by partition, each with its TAB; what is known of them goes to the output."""
        if not self._counts:
            return {}
        output, plain, numbers = self._output, self._shuffle.layout.plain, list(self._counts.values())
        known = tabbed(b"\n".join([*self._counts, b""]))
        self._forget_counts()
        lines = split_lines(known.block)
        output.keyed = output.keyed or known.low or not plain
        if plain:  # otherwise the pairs were weighed when they were written as lines
            output.weight += sum(map(mul, map(_weigh, lines), numbers))
        parts: dict[int, list[tuple[bytes, int]]] = {}
        for partition, item in zip(
            self._partitions(known.block, lines), zip(lines, numbers, strict=True), strict=False
        ):
            parts.setdefault(partition, []).append(item)
        return {partition: _counted(items, keyed=output.keyed) for partition, items in parts.items()}

    def _partitions(self, block: bytes, lines: list[bytes]) -> Iterable[int]:
        shuffle = self._shuffle
        partition = shuffle.partition
        if partition is None:
            return itertools.repeat(0)
        if shuffle.layout.plain and shuffle.hashed and arrays.numpy_is_loaded():
            return arrays.hash_partitions(block, shuffle.reduces)
        return [partition(shuffle.layout.key(line)) for line in lines]

    def _spill_counted(self) -> None:
        for partition, counted in self._take_counted().items():
            write_counted(self._new_run(partition), [counted], keyed=self._output.keyed)

    # -- gathered lines

    def _gather(self, block: bytes) -> None:
        self._chunk.append(block)
        self._gathered += len(block)
        if self._gathered >= self._shuffle.chunk:
            self._sort_chunk()

    def _sort_chunk(self) -> None:
        """Put the chunk in order, and write each partition's share of it."""
        shuffle, output = self._shuffle, self._output
        if shuffle.layout.order:
            self._sort_chunk_stably()
            return
        text, ordered = b"".join(self._chunk), None
        self._forget_chunk()  # before the sort, which takes as much again for the lines in order
        if shuffle.layout.plain and (shuffle.hashed or shuffle.partition is None):
            # At least _DECIDED_AFTER lines were gathered, most of them different: sorting them here takes longer than
            # the import.
            arrays.load_numpy()
            ordered = arrays.sort_lines(text, shuffle.reduces)
        if ordered is None:
            self._counts.update(split_lines(text))
            self._spill_counted()
            return
        output.weight += ordered.weight
        for partition, (begin, end) in enumerate(itertools.pairwise(ordered.borders)):
            if begin < end:
                with self._new_run(partition).open("wb", buffering=0) as file:
                    processes.write_all(file.fileno(), ordered.text[begin:end])

    def _sort_chunk_stably(self) -> None:
        """Writes the chunk ordered by the comparator alone: lines that it finds equal keep their order."""
        shuffle = self._shuffle
        lines = [line for block in self._chunk for line in split_lines(block)]
        self._forget_chunk()
        self._output.keyed = True
        lines.sort(key=lambda line: line.partition(b"\t")[0])
        parts: dict[int, list[bytes]] = {}
        for line in lines:
            partition = shuffle.partition(shuffle.layout.key(line)) if shuffle.partition else 0
            parts.setdefault(partition, []).append(line)
        for partition, part in sorted(parts.items()):
            self._new_run(partition).write_bytes(b"".join([line + b"\n" for line in part]))

    def _forget_chunk(self) -> None:
        self._chunk, self._gathered = [], 0

    def _new_run(self, partition: int) -> Path:
        self._files += 1
        path = self._shuffle.scratch / f"{self._name}-{self._files}-{partition}"
        self._output.runs.setdefault(partition, []).append(path)
        return path


def _weigh(line: bytes) -> int:
    """Returns the bytes of key and value when serialized."""
    if len(line) < SHORT:
        return len(line) + 1
    key, _, value = line.partition(b"\t")
    return text_size(len(key)) + text_size(len(value))


def _counted(items: Iterable[tuple[bytes, int]], *, keyed: bool) -> Counted:
    ordered = _in_order(items, keyed=keyed)
    return Counted(b"\n".join([*(line for line, _ in ordered), b""]), [number for _, number in ordered])


def _in_order(items: Iterable[tuple[bytes, int]], *, keyed: bool) -> list[tuple[bytes, int]]:
    """Counted lines in the order of the runs."""
    return sorted(items, key=lambda item: item[0].partition(b"\t")) if keyed else sorted(items)


def counted_blocks(counted: Sequence[Counted], *, keyed: bool) -> Iterator[SortedBlock]:
    """The lines of all in order, each as often as it came, in blocks of about a megabyte."""
    repeated: list[bytes] = []
    distinct: list[bytes] = []
    size = records = 0
    for line, number in _in_order(itertools.chain.from_iterable(one.items() for one in counted), keyed=keyed):
        text, left = line + b"\n", number
        while left:
            now = min(left, 1 + BLOCK // len(text))
            repeated.append(text * now)
            distinct.append(text)
            size += len(text) * now
            records += now
            left -= now
            if size >= BLOCK:
                yield SortedBlock(b"".join(repeated), records, b"".join(distinct), len(distinct))
                repeated, distinct, size, records = [], [], 0, 0
    if repeated:
        yield SortedBlock(b"".join(repeated), records, b"".join(distinct), len(distinct))


def write_counted(path: Path, counted: Sequence[Counted], *, keyed: bool) -> None:
    """Write counted lines as a run. Raises `OSError`."""
    with path.open("wb", buffering=0) as file:
        for block in counted_blocks(counted, keyed=keyed):
            processes.write_all(file.fileno(), memoryview(block.text))
