"""The reduce side of the shuffle: merges all that the map side wrote into one sorted stream of lines."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from flowspec.engines.streaming.data import processes, runs
from flowspec.engines.streaming.data.collect import MapOutput, Shuffle, counted_blocks, write_counted
from flowspec.engines.streaming.data.lines import BLOCK, SortedBlock, sorted_block, whole_lines
from flowspec.engines.streaming.hadoop.failure import TaskFailure

_KEYED = ("-t", "\t", "-k1,1", "-s")
_MEMORY = 8 << 10  # KiB; with 32 MiB, merging 32 runs of 8 MiB takes 0.55 s of CPU instead of 0.45
_RUNS_AT_ONCE = 512  # more are merged in several passes; each takes a descriptor


class Merge:
    """The lines of one partition, in the order of their keys, from the map_outputs of all workers.

    A single run is read as it is: one that a combiner left unsorted is not put in order, as in Hadoop.
    """

    def __init__(self, shuffle: Shuffle, map_outputs: Sequence[MapOutput], partition: int, *, keyed: bool) -> None:
        self._shuffle = shuffle
        self._keyed = keyed
        self._counted = [one.counted[partition] for one in map_outputs if partition in one.counted]
        self._runs = [run for map_output in map_outputs for run in map_output.runs.get(partition, ())]
        self._own = shuffle.scratch / f"counted-{os.getpid()}-{partition}"
        self._process: subprocess.Popen[bytes] | None = None

    def blocks(self) -> Iterator[SortedBlock]:
        """Yields the lines, to the end, in blocks. Raises `TaskFailure` if the merge fails, or `OSError`."""
        if not self._runs:
            yield from counted_blocks(self._counted, keyed=self._keyed)
            return
        if self._counted:
            write_counted(self._own, self._counted, keyed=self._keyed)
            self._runs.append(self._own)
        if len(self._runs) == 1:
            with self._runs[0].open("rb", buffering=0) as file:
                yield from map(sorted_block, whole_lines(processes.read_chunks(file.fileno())))
            return
        yield from map(sorted_block, self._merge_files())

    def _merge_files(self) -> Iterator[bytes]:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _RUNS_AT_ONCE if files == resource.RLIM_INFINITY else min(_RUNS_AT_ONCE, files // 2)
        width = max(2, min(len(self._runs), most))
        words = ["sort", "-m", *(_KEYED if self._keyed else ()), f"--batch-size={width}"]
        words += [f"--buffer-size={_MEMORY}K", f"--temporary-directory={self._shuffle.scratch}", "--"]
        if shutil.which("stdbuf"):  # by default, sort writes 4 KiB at a time
            words = ["stdbuf", f"--output={BLOCK // 4}", *words]
        self._process = subprocess.Popen(
            [*words, *map(str, self._runs)],
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout
        processes.enlarge_pipe(self._process.stdout.fileno())
        yield from whole_lines(processes.read_chunks(self._process.stdout.fileno()))
        self._check(self._process)

    def _check(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        said = process.stderr.read().decode("utf-8", "replace").splitlines()
        status = process.wait()
        if status and not os.statvfs(self._shuffle.scratch).f_bavail:  # sort then only prints `sort: write error`
            raise TaskFailure(f"java.io.IOException: {os.strerror(errno.ENOSPC)}")
        if status:
            raise TaskFailure(f"java.io.IOException: {said[-1] if said else f'sort ended with status {status}'}")

    def close(self) -> None:
        """Releases everything, also before the end; the runs can't be used afterwards."""
        if self._process:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe and not pipe.closed:
                    pipe.close()
        for run in self._runs:
            runs.discard(run)
