"""Counts equal lines: each is kept once, with its number of occurrences."""

from __future__ import annotations

from collections import Counter

from flowspec.engines.streaming.data import arrays
from flowspec.engines.streaming.data.lines import split_lines


class LineCounter:
    """The different lines that were `counted`, as one `text`, and the `numbers` of occurrences of each.

    Blocks wait until there are enough of them to be counted together. Counted blocks are `kept` unchanged until they
    have more than `most_kept` bytes, for a caller that finds that counting does not pay.
    """

    def __init__(self, most_kept: int) -> None:
        self._most_kept = most_kept
        self.clear()

    def clear(self) -> None:
        """Forgets all lines."""
        self.text = b""
        self.numbers: list[int] = []
        self.counted = 0  # lines, and
        self.size = 0  # their bytes
        self.waiting = 0  # bytes that are not counted yet
        self._blocks: list[bytes] = []
        self.kept: list[bytes] = []

    def add(self, block: bytes) -> None:
        """Takes a block of whole lines."""
        self._blocks.append(block)
        self.waiting += len(block)

    def count(self) -> None:
        """Counts the blocks that wait."""
        if not self._blocks:
            return
        text = b"".join([self.text, *self._blocks])
        self.size += self.waiting
        self.kept = [*self.kept, *self._blocks] if self.size <= self._most_kept else []
        self._blocks, self.waiting = [], 0
        self.text, self.numbers = arrays.count_distinct(text, self.numbers) or _count(text, self.numbers)
        self.counted = sum(self.numbers)


def _count(text: bytes, numbers: list[int]) -> tuple[bytes, list[int]]:
    """Does what `arrays.count_distinct` does."""
    lines = split_lines(text)
    counts = Counter(dict(zip(lines, numbers, strict=False)))
    counts.update(lines[len(numbers) :])
    return b"\n".join([*counts, b""]), list(counts.values())
