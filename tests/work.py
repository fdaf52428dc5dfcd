"""Measures of work in place of its time, which on a loaded machine depends on what else runs there."""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time


@dataclass
class Work:
    """The work of a block of code: `calls` of functions, those written in C included, and the peak of its `bytes`."""

    calls: int = 0
    bytes: int = 0


@contextmanager
def counted_calls() -> Iterator[Work]:
    """Counts the calls of functions in this thread."""
    work, before = Work(), sys.getprofile()

    def count(_frame: object, event: str, _arg: object) -> None:
        work.calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield work
    finally:
        sys.setprofile(before)


@contextmanager
def measured() -> Iterator[Work]:
    """Counts the calls of functions in this thread, and the bytes of Python's memory at the most."""
    tracemalloc.start()
    try:
        with counted_calls() as work:
            yield work
        work.bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def is_linear(run: Callable[[int], object], size: int) -> bool:
    """Returns True if `run(16 * size)` takes less than 100 times as long as `run(size)`: squared work takes 256 times.

    For work within one function of C, whose calls say nothing. Tried again where it fails: beside other processes, the
    same work took 1.6 s of CPU time, and once 2.3 s, instead of 0.4.
    """

    def seconds(of: int) -> float:
        begun = process_time()
        run(of)
        return process_time() - begun

    return any(seconds(16 * size) < 100 * max(seconds(size), 0.02) for _ in range(3))
