"""numpy versions of the per-byte operations (counting, hashing, sorting lines); small jobs do without them.

Importing numpy takes 0.06 s, longer than a small job runs, so a job calls `load_numpy` only where there is
much data. Each function gives the same answer with and without numpy.

Measured on 8 MiB of word-count lines (799,000 of them), CPU seconds: 0.24 to 0.28 to sort, partition
and weigh them here; 0.81 for Python's `sorted` and 0.39 for GNU sort (LC_ALL=C) to sort them only. On
longer lines it is 0.04, 0.12 and 0.08.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from flowspec.engines.streaming.hadoop.records import SHORT

# Bytes of input: the import takes 0.06 s of CPU, and 4 MiB of short lines without it 1 s more to sort.
_WORTH_IMPORTING = 4 << 20
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_INVERSE_OF_31 = pow(31, -1, 1 << 32)
_LONGEST_STRETCH = 1 << 20  # bytes whose keys are hashed together: more than the caches hold would be slower
_COMPARE_SINGLY_FROM = 64  # bytes that lines have in common, from where they are compared one by one
_HASH_SINGLY_FROM = 256  # bytes of a line: hashing each eighth of them takes 3 ns, looking up the rest of one 500 ns
_BYTE = 1 << 8
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_WORD = 8
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / 1.618, the usual factor of multiplicative hashing
_LF, _TAB = 10, 9
_ABOVE_LF = bytes(range(_LF + 1, 256))

# numpy, once numpy_is_loaded. Any: it is imported by few jobs, and by no other module.
_numpy: Any = None


def load_numpy_before_fork(size: int) -> None:
    """Calls `load_numpy` in the process that forks, so that the workers share its memory and 0.1 s of CPU time.

    Not on macOS: its frameworks, Accelerate in numpy's wheels among them, may abort a child that uses them when they
    were loaded before the fork (python.org, `multiprocessing`: "fork ... can lead to crashes of the subprocess").
    """
    if sys.platform != "darwin":
        load_numpy(size)


def load_numpy(size: int | None = None) -> None:
    """Imports numpy; where the `size` of a job's input is given, only if that is worth it.

    To be called before the job forks, or before a process of it runs a command.
    """
    global _numpy  # noqa: PLW0603 - an import, put off until it pays
    if _numpy is None and (size is None or size >= _WORTH_IMPORTING):
        with _no_threads():
            import numpy

        _numpy = numpy
        _keep_memory()


def _keep_memory() -> None:
    """Makes glibc keep freed arrays of megabytes: memory fetched anew is faulted in page by page."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if sys.platform == "linux" and mallopt:
        mallopt(_M_MMAP_THRESHOLD, 64 << 20)
        mallopt(_M_TRIM_THRESHOLD, 256 << 20)


@contextmanager
def _no_threads() -> Iterator[None]:
    """Keeps OpenBLAS from starting threads in this process, which forks; the job's commands are not affected."""
    asked = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        if asked is None:
            del os.environ[_BLAS_THREADS]
        else:
            os.environ[_BLAS_THREADS] = asked


def numpy_is_loaded() -> bool:
    """Returns whether `load_numpy` has imported numpy."""
    return _numpy is not None


def count_lines(block: bytes) -> int:
    """Returns the number of LFs in a block."""
    if _numpy is None:
        return block.count(b"\n")
    return int(_numpy.count_nonzero(_bytes(block) == _LF))


def keep_up_to_lf(block: bytes) -> bytes:
    """Returns the bytes of a block that are LF or below: TABs, LFs and what is sorted before them.

    Measured on 8 MiB of 101-byte lines: 3.6 ms of CPU, and 8.0 ms for `bytes.translate`.
    """
    if _numpy is None:
        return block.translate(None, _ABOVE_LF)
    array = _bytes(block)
    kept: bytes = array[_numpy.flatnonzero(array <= _LF)].tobytes()
    return kept


def count_keys(block: bytes) -> tuple[int, int]:
    """Counts the lines of a tabbed block, and those of them whose key is that of the line before. Needs numpy.

    Only neighbours that begin with the same word, or have a TAB in the first word, are compared, word by word, as long
    as they are equal. So keys that differ early cost almost nothing. Measured on 32 MiB of 101-byte lines with
    different keys: 0.015 s of CPU; 0.23 s for a regular expression and Python's comparisons.
    """
    padded = block + bytes(_WORD)
    array = _bytes(padded)
    starts = _line_starts(_numpy.flatnonzero(array == _LF))
    # A word at every offset, also an unaligned one.
    words = _numpy.ndarray((len(block) + 1,), ">u8", padded, strides=(1,))
    heads = words[starts].view(_numpy.uint64)
    short = _have_tab(heads)
    alike = (heads[1:] == heads[:-1]) | (short[1:] & short[:-1])
    if not alike.any():
        return len(starts), 0
    tabs = _numpy.flatnonzero(array == _TAB)
    lengths = (tabs if len(tabs) == len(starts) else tabs[_numpy.searchsorted(tabs, starts)]) - starts
    alike = _numpy.flatnonzero(alike & (lengths[1:] == lengths[:-1]))
    left, before, after = lengths[alike], starts[alike], starts[alike + 1]
    equal = depth = 0
    while len(left) and depth < _COMPARE_SINGLY_FROM:
        unused = (8 * (_WORD - _numpy.minimum(left, _WORD))).astype(_numpy.uint64)
        same = ((words[before] ^ words[after]) >> unused == 0) | (left == 0)
        equal += int(_numpy.count_nonzero(same & (left <= _WORD)))
        more = same & (left > _WORD)
        left, before, after = left[more] - _WORD, before[more] + _WORD, after[more] + _WORD
        depth += _WORD
    rest = zip(left.tolist(), before.tolist(), after.tolist(), strict=True)
    equal += sum(block[begin : begin + size] == block[other : other + size] for size, begin, other in rest)
    return len(starts), equal


def _have_tab(words: Any) -> Any:
    """Finds the words with a TAB among their bytes: the usual test for a zero byte, after an exclusive or."""
    ones, highs = _numpy.uint64(0x0101010101010101), _numpy.uint64(0x8080808080808080)
    zeroed = words ^ (ones * _numpy.uint64(_TAB))
    return ((zeroed - ones) & ~zeroed & highs) != 0


def _line_starts(ends: Any) -> Any:
    """Returns the offsets at which the lines begin that end at these."""
    return _numpy.concatenate(([0], ends[:-1] + 1))


def count_distinct(text: bytes, numbers: list[int]) -> tuple[bytes, list[int]] | None:
    """Returns the different lines of a text and how often each came: first ones as `numbers` say, others once.

    None without numpy, or where two different lines have one hash. Measured on 20 MiB of words, 4 MiB at a time: 0.33 s
    of CPU, and 0.85 s for a `Counter`; on 12-byte lines, of which one in 28 is different, 0.29 and 0.57 s.
    """
    if _numpy is None or not text:
        return None
    lines = _Lines([text])
    weights = _numpy.ones(len(lines.starts), _numpy.int64)
    weights[: len(numbers)] = numbers
    totals = lines.add_up(weights)
    if totals is None:
        return None
    kept = totals > 0
    distinct: bytes = _bytes(text)[_numpy.repeat(kept, lines.lengths + 1)].tobytes()
    return distinct, totals[kept].tolist()


class SortedLines(NamedTuple):
    """Lines in the order of their bytes, partition by partition, each with its TAB.

    `borders` are the offsets in `text` where the partitions begin, and its end, `line_borders` the same in lines;
    `weight` is what keys and values take when serialized.
    """

    text: memoryview
    borders: list[int]
    line_borders: list[int]
    weight: int
    order: Any

    def arrange(self, values: list[int]) -> list[int]:
        """Returns values of the lines, given in the order that these had before they were sorted."""
        arranged: list[int] = _numpy.array(values)[self.order].tolist()
        return arranged


def sort_lines(blocks: Sequence[bytes], reduces: int) -> SortedLines | None:
    """Sorts the lines of blocks, and gives a TAB to those without one. Needs numpy.

    None where bytes are below TAB, for which the order of lines is not that of keys. With several reducers
    a key goes where HashPartitioner sends it.
    """
    lines = _Lines(blocks)
    if lines.have_low:
        return None
    partitions = lines.hash_partitions(reduces) if reduces > 1 else _numpy.zeros(len(lines.starts), _numpy.uint8)
    return lines.copy_in_order(lines.order(partitions, reduces), partitions, reduces)


class _Lines:
    """The places where the lines of a text begin and end, and their keys end: at the first TAB, or with the line."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._text = b"".join([*blocks, bytes(_WORD)])  # a whole word can be read from everywhere
        array = _bytes(self._text)[:-_WORD]
        # One pass for LFs, TABs and what is below them; most often each line has one TAB and nothing below.
        marks = _numpy.flatnonzero(array <= _LF)
        kinds = array[marks]
        self.have_low = bool((kinds < _TAB).any())
        is_end = kinds == _LF
        one_tab_each = len(marks) % 2 == 0 and is_end[1::2].all() and not (self.have_low or is_end[::2].any())
        self.ends = marks[1::2].copy() if one_tab_each else marks[is_end]
        self.starts = _line_starts(self.ends)
        self.lengths = self.ends - self.starts
        self.longest = int(self.lengths.max())
        self._key_ends = marks[::2].copy() if one_tab_each else self._first_of(marks[kinds == _TAB])

    def _first_of(self, tabs: Any) -> Any:
        """Returns the place of the first TAB of each line, or where the line ends."""
        if not len(tabs):
            return self.ends
        following = _numpy.append(tabs, len(self._text))[_numpy.searchsorted(tabs, self.starts)]
        return _numpy.minimum(following, self.ends)

    # -- which partition

    def hash_partitions(self, reduces: int) -> Any:
        """Returns the partition of each line's key, as HashPartitioner gives it (WritableComparator.hashBytes).

        The hash of the bytes b[s:e] is 31**(e-s) + sum(b[k] * 31**(e-1-k)) modulo 2**32. 31 has an inverse
        there, so that the products b[k] * 31**-k serve all keys of a stretch. Where only the lower eight
        bits are asked for, it is enough to reckon with those.
        """
        few = reduces <= _BYTE and reduces & (reduces - 1) == 0
        kind = _numpy.uint8 if few else _numpy.uint32
        hashes = _numpy.empty(len(self.starts), _numpy.uint32)
        first = 0
        while first < len(self.starts):
            last = int(_numpy.searchsorted(self.ends, self.starts[first] + _LONGEST_STRETCH))
            if last > first:
                hashes[first:last] = self._hashes(first, last, kind)
            else:
                last = first + 1
                hashes[first] = self._hash_of_long(first, kind)
            first = last
        return (hashes & 0x7FFFFFFF) % reduces

    def _hashes(self, first: int, last: int, kind: Any) -> Any:
        begin = self.starts[first]
        starts, key_ends = self.starts[first:last] - begin, self._key_ends[first:last] - begin
        powers, inverses = _powers(kind)
        products = _bytes(self._text)[begin : self.ends[last - 1] + 1].view(_numpy.int8).astype(kind)
        products *= inverses[: len(products)]
        # Sums from each key's start to its end, and from there to the next start; the latter are of no use.
        sums = _numpy.add.reduceat(products, _numpy.stack((starts, key_ends), axis=1).ravel(), dtype=kind)[::2]
        sums[starts == key_ends] = 0
        # 31**(e-1) is written as 31**e * 31**-1, as a key may be empty at the very start.
        return powers[key_ends - starts] + sums * powers[key_ends] * inverses[1]

    def _hash_of_long(self, line: int, kind: Any) -> int:
        """Returns the hash of one key that is longer than a stretch, piece by piece."""
        key = _bytes(self._text)[self.starts[line] : self._key_ends[line]].view(_numpy.int8)
        powers, _ = _powers(kind)
        value = 1
        for begin in range(0, len(key), _LONGEST_STRETCH):
            piece = key[begin : begin + _LONGEST_STRETCH].astype(kind)
            total = int((piece * powers[len(piece) - 1 :: -1]).sum(dtype=kind))
            value = (value * int(powers[len(piece)]) + total) & 0xFFFFFFFF
        return value

    # -- which are equal

    def add_up(self, weights: Any) -> Any:
        """Returns for one of each set of equal lines the sum of their weights, and 0 for the others.

        None where different lines have one hash. Sorted are the upper bits of hashes with the line's number behind, as
        in `order`; lines with the same ones are compared, so that no hash is trusted.
        """
        bits = len(weights).bit_length()
        columns = list(self._columns())
        # Not the length as it is: 8 would carry out of a word that ends with 0xFF, and leave the 7 of a shorter line.
        hashes = self.lengths.astype(_numpy.uint64) * _numpy.uint64(_GOLDEN)
        for rows, words in columns:
            # Multiplication carries upwards only: the upper half is brought down before the next.
            hashes[rows] = ((hashes[rows] ^ _shifted(hashes[rows], 32)) + words) * _numpy.uint64(_GOLDEN)
        ranked = _shifted(_shifted(hashes, bits), -bits) | _numpy.arange(len(weights), dtype=_numpy.uint64)
        ranked.sort()
        order = (ranked & _numpy.uint64((1 << bits) - 1)).astype(_numpy.intp)
        ranked = _shifted(ranked, bits)
        firsts = _numpy.flatnonzero(_numpy.append([True], ranked[1:] != ranked[:-1]))
        first_of = _numpy.empty_like(order)
        first_of[order] = _numpy.repeat(order[firsts], _numpy.diff(firsts, append=len(order)))
        if (self.lengths != self.lengths[first_of]).any():
            return None
        for rows, words in columns:
            whole = _numpy.zeros(len(order), _numpy.uint64)
            whole[rows] = words
            if (whole[first_of[rows]] != words).any():
                return None
        totals = _numpy.zeros(len(order), _numpy.int64)
        totals[order[firsts]] = _numpy.add.reduceat(weights[order], firsts)
        return totals

    def _columns(self) -> Iterator[tuple[Any, Any]]:
        """Yields the lines that have a word, and these words: the first, then the second ones.

        Of long lines, what is behind the first words is one number: what lines of this process have the same for.
        """
        rows, starts, left = _numpy.arange(len(self.starts)), self.starts, self.lengths
        yield slice(None), self._words(starts, left)
        for _ in range(_WORD, min(self.longest, _HASH_SINGLY_FROM), _WORD):
            more = _numpy.flatnonzero(left > _WORD)
            rows, starts, left = rows[more], starts[more] + _WORD, left[more] - _WORD
            yield rows, self._words(starts, left)
        rows = rows[self.lengths[rows] > _HASH_SINGLY_FROM]
        known: dict[bytes, int] = {}
        rest = zip((self.starts[rows] + _HASH_SINGLY_FROM).tolist(), self.ends[rows].tolist(), strict=True)
        yield rows, _numpy.array([known.setdefault(self._text[a:b], len(known)) for a, b in rest], _numpy.uint64)

    # -- in which order

    def order(self, partitions: Any, reduces: int) -> Any:
        """Returns the numbers of the lines, ordered by partition and then by their bytes.

        Some bytes of each line are compared as one number, at first with the partition in front and the line's number
        behind. numpy sorts such numbers in a fifth to a tenth of the time of an argsort. Lines that are still equal are
        compared again by their next bytes.
        """
        behind, front = _bytes_for(len(self.starts)), _bytes_for(reduces)
        depth = _WORD - front - behind
        words = _shifted(self._words(self.starts, self.lengths), 8 * (front + behind))
        words = _shifted(words, -8 * behind) | _numpy.arange(len(words), dtype=_numpy.uint64)
        if front:
            words |= _shifted(partitions.astype(_numpy.uint64), 8 * (front - _WORD))
        words.sort()
        order = (words & _numpy.uint64((1 << 8 * behind) - 1)).astype(_numpy.intp)
        words = _shifted(words, 8 * behind)
        self._order_equal_lines(order, *_find_equal_neighbours(words[1:] == words[:-1]), depth)
        return order

    def _order_equal_lines(self, order: Any, places: Any, groups: Any, depth: int) -> None:
        """Orders the lines at these places of `order`, which are equal to the others of their group up to `depth`.

        Places, numbers, starts and lengths of lines are passed from round to round: looking them up again in each took
        a fifth more time.
        """
        chosen = order[places]
        starts, left = self.starts[chosen] + depth, self.lengths[chosen] - depth
        while len(places):
            going_on = left >= 0  # a shorter line is equal to all of its group
            if not going_on.all():
                places, groups, chosen, starts, left = (one[going_on] for one in (places, groups, chosen, starts, left))
            if not len(places):
                return
            if depth >= _COMPARE_SINGLY_FROM:
                order[places] = chosen[self._sort_one_by_one(chosen, groups)]
                return
            # The group goes in front of the bytes: one argsort takes 20 ns a line, a lexsort of both 130 ns.
            front = _bytes_for(int(groups[-1]) + 1)
            words = _shifted(self._words(starts, left), 8 * front)
            words |= _shifted(groups.astype(_numpy.uint64), 8 * (front - _WORD))
            ranked = _numpy.argsort(words)
            chosen, words = chosen[ranked], words[ranked]
            order[places] = chosen
            tied, groups = _find_equal_neighbours(words[1:] == words[:-1])
            ranked, step = ranked[tied], _WORD - front
            places, chosen, starts, left = places[tied], chosen[tied], starts[ranked] + step, left[ranked] - step
            depth += step

    def _words(self, starts: Any, left: Any) -> Any:
        """Returns the next bytes of lines, with `left` bytes to go, as numbers; a missing one is less than any."""
        words = _numpy.ndarray((len(self._text) - _WORD + 1,), ">u8", self._text, strides=(1,))
        kept = _numpy.array([(1 << 64) - (1 << 64 - 8 * size) for size in range(_WORD + 1)], _numpy.uint64)
        return words[starts].astype(_numpy.uint64) & kept[_numpy.minimum(left, _WORD)]

    def _sort_one_by_one(self, chosen: Any, groups: Any) -> list[int]:
        """Returns the order of lines that have much in common, within their groups."""
        text = self._text
        starts, ends, groups = self.starts[chosen].tolist(), self.ends[chosen].tolist(), groups.tolist()
        return sorted(range(len(groups)), key=lambda at: (groups[at], text[starts[at] : ends[at]]))

    # -- and out

    def copy_in_order(self, order: Any, partitions: Any, reduces: int) -> SortedLines:
        """Returns the lines in this order."""
        lengths = self.lengths[order]
        bare = (self._key_ends == self.ends)[order]
        ends = _numpy.cumsum(lengths + bare + 1)
        places = _numpy.concatenate(([0], ends[:-1]))
        text = _numpy.empty(int(ends[-1]), _numpy.uint8)
        starts = self.starts[order]
        # Lines of one length are copied together.
        ranked = _numpy.argsort(lengths.astype(_numpy.uint16) if self.longest < 1 << 16 else lengths, kind="stable")
        steps = _numpy.flatnonzero(_numpy.diff(lengths[ranked])) + 1
        for begin, end in itertools.pairwise([0, *steps.tolist(), len(ranked)]):
            rows = ranked[begin:end]
            length = int(lengths[rows[0]])
            if length:
                _windows(text, length)[places[rows]] = _windows(_bytes(self._text), length)[starts[rows]]
        text[ends - 1] = _LF
        text[(ends - 2)[bare]] = _TAB
        lines = _numpy.append(0, _numpy.cumsum(_numpy.bincount(partitions, minlength=reduces)))
        borders = _numpy.append(0, ends)[lines].tolist()
        return SortedLines(memoryview(text), borders, lines.tolist(), len(text) + self._extra_sizes(), order)

    def _extra_sizes(self) -> int:
        """Returns the bytes beyond one that the lengths of keys and values take in all (WritableUtils.writeVInt)."""
        if self.longest < SHORT:
            return 0
        values = _numpy.maximum(self.ends - self._key_ends - 1, 0)
        return _extra_length_bytes(self._key_ends - self.starts) + _extra_length_bytes(values)


def _extra_length_bytes(lengths: Any) -> int:
    return sum(int(_numpy.count_nonzero(lengths >= limit)) for limit in (SHORT, 1 << 8, 1 << 16, 1 << 24))


def _bytes_for(count: int) -> int:
    """Returns how many bytes the numbers below `count` take; none for 0 alone."""
    return (count - 1).bit_length() + 7 >> 3


def _shifted(words: Any, bits: int) -> Any:
    """Returns words shifted to the right, or to the left where `bits` is negative."""
    return words >> _numpy.uint64(bits) if bits >= 0 else words << _numpy.uint64(-bits)


def _find_equal_neighbours(same: Any) -> tuple[Any, Any]:
    """Finds the items that are equal to a neighbour, and for each of those the number of its group of equals."""
    with_last, with_next = _numpy.append([False], same), _numpy.append(same, [False])
    tied = _numpy.flatnonzero(with_last | with_next)
    return tied, _numpy.cumsum(~with_last)[tied]


def _windows(array: Any, length: int) -> Any:
    """Returns all stretches of a length of an array of bytes, each as one item."""
    return _numpy.ndarray((len(array) - length + 1,), f"V{length}", array, strides=(1,))


def _bytes(text: bytes) -> Any:
    return _numpy.frombuffer(text, _numpy.uint8)


@functools.cache
def _powers(kind: Any) -> tuple[Any, Any]:
    """Returns 31**k and 31**-k in numbers of a kind, for each place of a stretch."""
    return _power_table(31, kind), _power_table(_INVERSE_OF_31, kind)


def _power_table(factor: int, kind: Any) -> Any:
    table = _numpy.full(_LONGEST_STRETCH + 1, factor & _numpy.iinfo(kind).max, kind)
    table[0] = 1
    return _numpy.cumprod(table, dtype=kind)
