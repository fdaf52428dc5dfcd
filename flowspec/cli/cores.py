"""One function over many files, spread over the cores of this machine.

By forks and pipes: the imports of ProcessPoolExecutor and its threads took 20 ms of the 690 ms of 1,000 specs.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, BinaryIO, NamedTuple, TypeVar

from flowspec.errors import FlowspecError
from flowspec.facts.machine import usable_cores
from flowspec.interrupts import interrupts_held_back

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below that, starting processes takes longer than they save.
WORTH_IT = 100
_CHUNK = 20


def each(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yields `work` of every item, in their order; by processes of their own when there are many.

    The results have to be picklable. What `work` raises is raised here.
    """
    workers = min(usable_cores(), len(items) // (WORTH_IT // 2))
    # Elsewhere than on Linux a forked process may not use system libraries, which the rules of plugins may need.
    if len(items) < WORTH_IT or workers < 2 or sys.platform != "linux":
        yield from map(work, items)
        return
    # The first one is done here: what it imports and parses, forked processes need not do again.
    yield work(items[0])
    yield from _spread(work, items[1:], workers)


class _Fork(NamedTuple):
    """A forked process, and the pipe that its results come from."""

    pid: int
    results: BinaryIO


def _spread(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Forks processes, each for every nth chunk of the items."""
    chunks = [items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK)]
    forks: list[_Fork | None] = []
    try:
        with interrupts_held_back():
            # Not `forks = [...]`: whatever is raised, those before it are ended.
            forks.extend(_fork(work, chunks[number::workers]) for number in range(workers))
        for chunk, fork in zip(chunks, cycle(forks), strict=False):
            results = _received(fork) if fork else None
            # What was raised there is raised here, with its traceback, when it is done again.
            yield from map(work, chunk) if results is None else results
    finally:
        for fork in filter(None, forks):
            fork.results.close()
            # Nothing is left of it where SIGCHLD is ignored, as a parent process may have set it.
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(fork.pid, signal.SIGTERM)
                os.waitpid(fork.pid, 0)


def _fork(work: Callable[[Item], Result], chunks: Sequence[Sequence[Item]]) -> _Fork | None:
    """Forks a process for these chunks; None if the limit of processes is reached (ulimit -u), or that of files."""
    try:
        ours, theirs = os.pipe()
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        return None
    if not pid:
        try:
            _begin()
            with os.fdopen(theirs, "wb") as pipe:
                for chunk in chunks:
                    pickle.dump(_results(work, chunk), pipe)
                    pipe.flush()
        finally:
            # Nothing of the first process's code may run here: its handlers at exit, what is in its buffers.
            os._exit(0)
    os.close(theirs)
    return _Fork(pid, os.fdopen(ours, "rb"))


def _begin() -> None:
    # Ctrl-C reaches all processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _results(work: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result] | None:
    try:
        return [work(item) for item in chunk]
    except Exception:  # noqa: BLE001 - the first process raises it
        return None


def _received(fork: _Fork) -> list[Any] | None:
    try:
        results: list[Any] | None = pickle.load(fork.results)  # noqa: S301 - of our own process
    except (EOFError, pickle.UnpicklingError) as error:
        raise FlowspecError("a process was killed while it checked files", remedy="is memory short?") from error
    return results
