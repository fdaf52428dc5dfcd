"""The reduce side of the shuffle: one stream of lines in order, out of all that the map side left."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence

from flowspec.engines.streaming import processes
from flowspec.engines.streaming.collect import (
    KEYED,
    Shuffle,
    Spool,
    check_sort,
    start_sort,
    write_counted,
    written_out,
)
from flowspec.engines.streaming.lines import whole_lines

_RUNS_AT_ONCE = 512  # more are merged in several passes; each takes a descriptor


class Merge:
    """The lines of one partition, in the order of their keys, from the spools of all workers.

    A single run is read as it is: one that a combiner left unsorted is not put in order, as in Hadoop.
    """

    def __init__(self, shuffle: Shuffle, spools: Sequence[Spool], partition: int, *, keyed: bool) -> None:
        self._shuffle = shuffle
        self._keyed = keyed
        self._counted: Counter[bytes] = Counter()
        for spool in spools:
            self._counted.update(spool.counted.get(partition, {}))
        self._runs = [run for spool in spools for run in spool.runs.get(partition, ())]
        self._own = shuffle.scratch / f"counted-{os.getpid()}-{partition}"
        self._process: subprocess.Popen[bytes] | None = None

    def blocks(self) -> Iterator[bytes]:
        """The lines, to the end, in blocks. Raises `TaskFailure` if the merge fails, or `OSError`."""
        if not self._runs:
            yield from written_out(self._counted, keyed=self._keyed)
            return
        if self._counted:
            write_counted(self._own, self._counted, keyed=self._keyed)
            self._runs.append(self._own)
        if len(self._runs) == 1:
            with self._runs[0].open("rb", buffering=0) as file:
                yield from whole_lines(processes.read_chunks(file.fileno()))
            return
        yield from self._merged()

    def _merged(self) -> Iterator[bytes]:
        width = f"--batch-size={min(max(len(self._runs), 2), _RUNS_AT_ONCE)}"
        words = self._shuffle.sort("-m", *(KEYED if self._keyed else ()), width)
        words += ["--", *map(str, self._runs)]
        self._process = start_sort(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout
        processes.widen(self._process.stdout.fileno())
        yield from whole_lines(processes.read_chunks(self._process.stdout.fileno()))
        check_sort(self._process, self._shuffle.scratch)

    def close(self) -> None:
        """Let go of everything, also before the end; the runs are of no use any more."""
        if self._process:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe and not pipe.closed:
                    pipe.close()
        for run in self._runs:
            run.unlink(missing_ok=True)
