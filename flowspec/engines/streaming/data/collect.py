"""The map side of the shuffle: takes the lines that mappers write, and returns sorted runs by partition.

There are two methods, and a job may use both:

- *counted*: where lines repeat (`the TAB 1`), each is kept once, with its number of repetitions. Little is left
  to sort, and what is there at the end goes to the reducers directly.
- *gathered*: all other lines, in chunks small enough for the caches, each sorted at once (`arrays`).
  What numpy can't do (keys that are not ordered by their bytes, other partitioners) is counted instead.

From time to time a block is counted to choose the method.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path
from typing import NamedTuple

from flowspec.engines.streaming.data import arrays, processes
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.linecounter import LineCounter
from flowspec.engines.streaming.data.lines import BLOCK, SortedBlock, split_lines, tabbed
from flowspec.engines.streaming.hadoop.partition import Partitioner
from flowspec.engines.streaming.hadoop.records import SHORT, text_size

# Bytes that are sorted together. At first as many as a core's own cache holds: that takes 0.20 s of CPU for 30 MiB of
# short lines, and chunks of 8 MiB take 0.29 s. Later more, since each chunk is another run to merge.
_SMALLEST_CHUNK, _LARGEST_CHUNK = 2 << 20, 16 << 20
_GROWTH = 8  # a larger chunk is an eighth of all that was sorted before it

_COUNTED_TOGETHER = 4 << 20  # bytes of lines: about what the caches hold
_DECIDED_AFTER = 1 << 15  # lines that are counted before it is decided whether that is worth it
_DECIDED_AFTER_BYTES = 8 << 20  # the same in bytes, for long lines
_WORTH_COUNTING = 3  # times that a line must come, on average
_MOST_COUNTED = 1 << 18  # different lines
_MOST_COUNTED_BYTES = 16 << 20  # counting holds several copies of them
_LOOK_AGAIN_AFTER = 128 << 20  # bytes of lines that were not worth it


class Counted(NamedTuple):
    """Lines in order, one after the other, and the number of occurrences of each.

    They go from process to process as one text: 60,000 lines took 45 ms as a dictionary, and take 4 ms like this.
    """

    text: bytes
    numbers: list[int]

    def items(self) -> Iterator[tuple[bytes, int]]:
        """Returns each line, without its LF, and its number of occurrences."""
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
        """The partitions that have pairs, in order."""
        return sorted({*self.runs, *self.counted})


class Shuffle(NamedTuple):
    """The layout and division of a job's pairs, and the place for what does not fit in memory.

    `partition` is None with a single reducer; `hashed`: it is Hadoop's default.
    """

    layout: Layout
    scratch: Path
    reduces: int = 1
    partition: Partitioner | None = None
    hashed: bool = False


def _chunk_size(before: int) -> int:
    """Returns how many bytes are sorted together after so many."""
    return min(max(before // _GROWTH, _SMALLEST_CHUNK), _LARGEST_CHUNK)


def count_chunks(size: int) -> int:
    """Returns in how many chunks so many bytes are sorted at most."""
    count = done = 0
    while done < size:
        done += _chunk_size(done)
        count += 1
    return count


class Collector:
    """Takes lines, each ended by LF, and gives them back as a `MapOutput`.

    Chunks go to the files `in_memory` as long as there are any, and then to files that are named after `name`.
    """

    def __init__(self, shuffle: Shuffle, name: str, in_memory: Iterable[Path] = ()) -> None:
        self._shuffle = shuffle
        self._name = name
        self._in_memory = iter(in_memory)
        self._output = MapOutput()
        self._counter = LineCounter(_MOST_COUNTED_BYTES)
        self._wait = 0  # bytes to come that are not to be counted
        self._chunk: list[bytes] = []  # gathered so far, and
        self._gathered = 0  # their bytes
        self._sorted = 0  # bytes of the chunks before
        self._files = 0

    def add(self, block: bytes) -> None:
        """Takes a block of whole lines. Raises `TaskFailure` or `OSError`."""
        if self._shuffle.layout.order:  # counting would lose the order of keys that are equal for the comparator
            self._add_to_chunk(block)
            return
        if self._wait > 0:
            self._wait -= len(block)
            self._add_to_chunk(block)
            return
        self._counter.add(block)
        if self._counter.waiting >= _COUNTED_TOGETHER:
            arrays.load_numpy()  # without numpy, counting so many lines takes longer than its import
            self._count()

    def close(self) -> MapOutput:
        """Returns all lines in order. Raises `TaskFailure` or `OSError`."""
        self._count()
        if self._chunk:
            self._sort_chunk()
        self._output.counted = self._take_counted()
        return self._output

    def _count(self) -> None:
        self._counter.count()
        if self._counter.counted >= _DECIDED_AFTER or self._counter.size >= _DECIDED_AFTER_BYTES:
            self._check_counting()

    def _check_counting(self) -> None:
        counter = self._counter
        different = len(counter.numbers)
        worth_it = counter.counted >= _WORTH_COUNTING * different
        if not worth_it:
            self._wait = _LOOK_AGAIN_AFTER
        if not worth_it and counter.kept:
            blocks = counter.kept
            counter.clear()
            for block in blocks:
                self._add_to_chunk(block)
        elif not worth_it or different > _MOST_COUNTED or len(counter.text) > _MOST_COUNTED_BYTES:
            self._spill_counted()

    # -- counted lines

    def _take_counted(self) -> dict[int, Counted]:
        """Returns the counted lines by partition, each with its TAB; their known sizes and counts go to the output."""
        self._counter.count()
        if not self._counter.numbers:
            return {}
        output, plain, numbers = self._output, self._shuffle.layout.plain, self._counter.numbers
        known = tabbed(self._counter.text)
        self._counter.clear()
        lines = split_lines(known.block)
        output.keyed = output.keyed or known.low
        if plain:  # otherwise the sizes of the pairs were counted when they were written as lines
            output.weight += sum(map(mul, map(_weigh, lines), numbers))
        ordered = self._sort([known.block]) if arrays.numpy_is_loaded() else None
        if ordered:
            return _by_partition(ordered, numbers)
        parts: dict[int, list[tuple[bytes, int]]] = {}
        for item in zip(lines, numbers, strict=True):
            parts.setdefault(self._partition(item[0]), []).append(item)
        return {partition: _sort_counted(items, keyed=output.keyed) for partition, items in parts.items()}

    def _sort(self, blocks: Sequence[bytes]) -> arrays.SortedLines | None:
        """Sorts the lines of blocks with numpy; None where that can't be done."""
        shuffle = self._shuffle
        if not shuffle.layout.plain or (shuffle.partition and not shuffle.hashed):
            return None
        return arrays.sort_lines(blocks, shuffle.reduces)

    def _partition(self, line: bytes) -> int:
        partition = self._shuffle.partition
        return partition(self._shuffle.layout.key(line)) if partition else 0

    def _spill_counted(self) -> None:
        for partition, counted in self._take_counted().items():
            write_counted(self._new_run(partition), [counted], keyed=self._output.keyed)

    # -- gathered lines

    def _add_to_chunk(self, block: bytes) -> None:
        self._chunk.append(block)
        self._gathered += len(block)
        if self._gathered >= _chunk_size(self._sorted):
            self._sort_chunk()

    def _sort_chunk(self) -> None:
        """Sorts the chunk, and writes each partition's part of it."""
        output = self._output
        if self._shuffle.layout.order:
            self._sort_chunk_stably()
            return
        blocks = self._chunk
        self._clear_chunk()
        # Lines are gathered from _DECIDED_AFTER on, most of them different: so many take longer to sort without it than
        # the import takes.
        arrays.load_numpy()
        ordered = self._sort(blocks)
        if ordered is None:
            for block in blocks:
                self._counter.add(block)
            self._spill_counted()
            return
        output.weight += ordered.weight
        for partition, (begin, end) in enumerate(itertools.pairwise(ordered.borders)):
            if begin < end:
                with self._new_run(partition, is_chunk=True).open("wb", buffering=0) as file:
                    processes.write_all(file.fileno(), ordered.text[begin:end])

    def _sort_chunk_stably(self) -> None:
        """Writes the chunk ordered by the comparator alone: lines that it finds equal keep their order."""
        lines = [line for block in self._chunk for line in split_lines(block)]
        self._clear_chunk()
        self._output.keyed = True
        lines.sort(key=lambda line: line.partition(b"\t")[0])
        parts: dict[int, list[bytes]] = {}
        for line in lines:
            parts.setdefault(self._partition(line), []).append(line)
        for partition, part in sorted(parts.items()):
            self._new_run(partition, is_chunk=True).write_bytes(b"".join([line + b"\n" for line in part]))

    def _clear_chunk(self) -> None:
        self._sorted += self._gathered
        self._chunk, self._gathered = [], 0

    def _new_run(self, partition: int, *, is_chunk: bool = False) -> Path:
        """Returns the file of one more run of a partition: for a chunk the next one in memory, else one on disk."""
        # Not for counted lines: written as often as they occurred, they may take far more space than a chunk.
        path = next(self._in_memory, None) if is_chunk else None
        if path is None:
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


def _by_partition(ordered: arrays.SortedLines, numbers: list[int]) -> dict[int, Counted]:
    """Returns sorted lines with their numbers, which are in the order that the lines had before."""
    numbers = ordered.arrange(numbers)
    borders = itertools.pairwise(zip(ordered.borders, ordered.line_borders, strict=True))
    return {
        partition: Counted(bytes(ordered.text[begin:end]), numbers[first:last])
        for partition, ((begin, first), (end, last)) in enumerate(borders)
        if begin < end
    }


def _sort_counted(items: Iterable[tuple[bytes, int]], *, keyed: bool) -> Counted:
    ordered = _order_as_runs(items, keyed=keyed)
    return Counted(b"\n".join([*(line for line, _ in ordered), b""]), [number for _, number in ordered])


def _order_as_runs(items: Iterable[tuple[bytes, int]], *, keyed: bool) -> list[tuple[bytes, int]]:
    """Returns counted lines in the order of the runs."""
    return sorted(items, key=lambda item: item[0].partition(b"\t")) if keyed else sorted(items)


def counted_blocks(counted: Sequence[Counted], *, keyed: bool) -> Iterator[SortedBlock]:
    """Yields the lines of all in order, each as often as it came, in blocks of about a megabyte."""
    written: list[bytes] = []
    distinct: list[bytes] = []
    size = records = 0
    for line, number in _order_as_runs(itertools.chain.from_iterable(one.items() for one in counted), keyed=keyed):
        text, left = line + b"\n", number
        while left:
            now = min(left, 1 + BLOCK // len(text))
            written.append(text * now)
            distinct.append(text)
            size += len(text) * now
            records += now
            left -= now
            if size >= BLOCK:
                yield SortedBlock(b"".join(written), b"".join(distinct), records - len(distinct))
                written, distinct, size, records = [], [], 0, 0
    if written:
        yield SortedBlock(b"".join(written), b"".join(distinct), records - len(distinct))


def write_counted(path: Path, counted: Sequence[Counted], *, keyed: bool) -> None:
    """Writes counted lines as a run. Raises `OSError`."""
    with path.open("wb", buffering=0) as file:
        for block in counted_blocks(counted, keyed=keyed):
            processes.write_all(file.fileno(), memoryview(block.text))
