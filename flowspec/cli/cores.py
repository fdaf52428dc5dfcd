"""Applies one function to many files, on all cores of this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from flowspec.errors import FlowspecError
from flowspec.facts.machine import usable_cores
from flowspec.interrupts import INTERRUPTS, interrupts_held_back

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below that, starting processes takes longer than they save.
WORTH_IT = 100
_CHUNK = 20


def map_on_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yields `work` of every item, in their order; by processes of their own when there are many.

    `work` and its results have to be picklable. What it raises is raised here.
    """
    workers = min(usable_cores(), len(items) // (WORTH_IT // 2))
    if len(items) < WORTH_IT or workers < 2:
        yield from map(work, items)
        return
    # The first one is done here: what it imports and parses, forked processes need not do again.
    yield work(items[0])
    yield from _map_in_processes(work, items[1:], workers)


def _map_in_processes(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Elsewhere than on Linux, forking is not safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, _ignore_interrupts)
    results: Iterator[Result] | None = None
    try:
        try:
            with interrupts_held_back():
                results = pool.map(work, items, chunksize=_CHUNK)  # forks all processes
        except (OSError, RuntimeError):  # the limit of processes is reached, which counts threads, too (ulimit -u)
            for process in multiprocessing.active_children():
                process.kill()
            yield from map(work, items)
            return
        yield from results
    except BrokenProcessPool as error:
        raise FlowspecError(
            "a process was killed while it checked files", remedy="check fewer files at a time, if memory is short"
        ) from error
    finally:
        # Also after an interrupt that was held back: processes that nobody tells to stop keep this one from ending.
        pool.shutdown(wait=results is not None, cancel_futures=True)


def _ignore_interrupts() -> None:
    # The terminal sends them to all processes; the first one tells the others to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
