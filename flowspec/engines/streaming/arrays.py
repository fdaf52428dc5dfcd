"""What must be known of every byte of a large job, asked of numpy; small jobs do without it.

numpy takes longer to import than a small job takes to run, so a job `enlist`s it only where there is
much to look at. Each function gives the same answer either way.
"""

from __future__ import annotations

import os
from typing import Any

MOST_AT_ONCE = 4 << 20
"""Bytes of a block whose keys are hashed at once: the tables of powers are as long as the longest one."""

_WORTH_IMPORTING = 16 << 20  # bytes of input from where the import is soon earned
_INVERSE_OF_31 = pow(31, -1, 1 << 32)
_BYTE = 1 << 8
_LF, _TAB = 10, 9
_SHORT = 128  # from here on the length of a Text takes more than one byte

# numpy, once enlisted. Any: it is imported by few jobs, and by no other module.
_numpy: Any = None


def enlist(size: int) -> None:
    """Import numpy for a job that will look at `size` bytes, if that is worth it. To be called before any fork."""
    global _numpy  # noqa: PLW0603 - an import, put off until it pays
    if _numpy is None and size >= _WORTH_IMPORTING:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no threads: the job forks, and computes no matrices
        import numpy

        _numpy = numpy


def enlisted() -> bool:
    """Whether numpy is at hand."""
    return _numpy is not None


def count_lines(block: bytes) -> int:
    """The number of LFs in a block."""
    if _numpy is None:
        return block.count(b"\n")
    return int(_numpy.count_nonzero(_bytes(block) == _LF))


def repeated_lines(block: bytes) -> int | None:
    """How many lines of a block equal the one before; None where that is not told cheaply. Needs numpy."""
    ends = _numpy.flatnonzero(_bytes(block) == _LF)
    lengths = _numpy.diff(ends)
    # A line can only equal one of its own length: few of sorted lines have that by chance.
    alike = 1 + _numpy.flatnonzero(lengths[1:] == lengths[:-1])
    if len(alike) > len(ends) // 4:
        return None
    borders = ((ends[alike + shift] + 1).tolist() for shift in (-1, 0, 1))
    found = sum(block[begin:middle] == block[middle:end] for begin, middle, end in zip(*borders, strict=True))
    return found + int(block.startswith(block[: ends[0] + 1], ends[0] + 1))


def highest(block: bytes) -> int:
    """The highest byte of a block. Needs numpy."""
    return int(_bytes(block).max())


class Lines:
    """Where the lines of a tabbed block begin and end, and their keys end; `bare`: there are no values. Needs numpy."""

    def __init__(self, block: bytes, *, bare: bool) -> None:
        array = _bytes(block)
        self.block = block
        self._ends = _numpy.flatnonzero(array == _LF)
        self._starts = _numpy.concatenate(([0], self._ends[:-1] + 1))
        self._key_ends = self._ends - 1 if bare else self._first_tabs(_numpy.flatnonzero(array == _TAB))

    def _first_tabs(self, tabs: Any) -> Any:
        return tabs if len(tabs) == len(self._ends) else tabs[_numpy.searchsorted(tabs, self._starts)]

    def extra_sizes(self) -> int:
        """How many bytes more than one the lengths of keys and values take, all together (WritableUtils.writeVInt)."""
        if (self._ends - self._starts).max() < _SHORT:
            return 0
        keys, values = self._key_ends - self._starts, self._ends - self._key_ends - 1
        return sum(self._extra(lengths[lengths >= _SHORT]) for lengths in (keys, values))

    def _extra(self, lengths: Any) -> int:
        return sum(int(_numpy.count_nonzero(lengths >= limit)) for limit in (_SHORT, 1 << 8, 1 << 16, 1 << 24))

    def hash_partitions(self, reduces: int) -> Any:
        """The partition of each line's key, as HashPartitioner gives it (WritableComparator.hashBytes).

        The hash of the bytes b[s:e] is 31**(e-s) + sum(b[k] * 31**(e-1-k)) modulo 2**32. 31 has an inverse
        there, so that the products b[k] * 31**-k serve all keys of the block. Where only the lower eight
        bits are asked for, it is enough to reckon with those.
        """
        few = reduces <= _BYTE and reduces & (reduces - 1) == 0
        powers, inverses = _powers(len(self.block), _numpy.uint8 if few else _numpy.uint32)
        products = _bytes(self.block).view(_numpy.int8).astype(powers.dtype)
        products *= inverses[: len(products)]
        # Sums from each key's start to its end, and from there to the next start; the latter are of no use.
        borders = _numpy.stack((self._starts, self._key_ends), axis=1).ravel()
        sums = _numpy.add.reduceat(products, borders, dtype=powers.dtype)[::2]
        sums[self._starts == self._key_ends] = 0
        # 31**(e-1) is written as 31**e * 31**-1, as a key may be empty at the very start.
        hashes = powers[self._key_ends - self._starts] + sums * powers[self._key_ends] * inverses[1]
        return (hashes.astype(_numpy.uint32) & 0x7FFFFFFF) % reduces

    def prefixed(self, partitions: Any, width: int, base: int, zero: int) -> bytearray:
        """The block with each line's partition before it, as `width` digits to `base` from the byte `zero` up."""
        blank = bytes(width)
        text = bytearray(blank)
        text += self.block.replace(b"\n", b"\n" + blank)
        del text[len(text) - width :]
        array = _numpy.frombuffer(text, _numpy.uint8)
        places = self._starts + width * _numpy.arange(len(self._starts))
        for digit in range(width):
            array[places + digit] = partitions // base ** (width - 1 - digit) % base + zero
        return text


def _bytes(block: bytes) -> Any:
    return _numpy.frombuffer(block, _numpy.uint8)


_tables: dict[Any, Any] = {}


def _powers(size: int, kind: Any) -> tuple[Any, Any]:
    """31**k and 31**-k in numbers of a kind, for k up to `size` at least; kept for the next block."""
    if kind not in _tables or len(_tables[kind][0]) <= size:
        length = 1 << max(21, size.bit_length() + 1)
        _tables[kind] = tuple(_power_table(factor, length, kind) for factor in (31, _INVERSE_OF_31))
    powers, inverses = _tables[kind]
    return powers, inverses


def _power_table(factor: int, length: int, kind: Any) -> Any:
    table = _numpy.full(length, factor & _numpy.iinfo(kind).max, kind)
    table[0] = 1
    return _numpy.cumprod(table, dtype=kind)
