"""The memory of all processes of a command together: the peak of their proportional shares, by looking often (Linux).

The proportional share (PSS, proc(5)) counts a page that n processes have in common as 1/n in each, so that the sum is
what is really taken; files in memory (memfd_create(2)), which no process has mapped, are added. Each look reads a file
of a few hundred bytes for each process.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_PAUSE = 0.1  # seconds between two looks


def peak(command: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Returns the megabytes at the peak, and the seconds from start to exit. Raises `CalledProcessError`."""
    most, started = 0, time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            family = list(_family(process.pid))
            files = dict(itertools.chain.from_iterable(map(_memory_files, family)))
            most = max(most, sum(map(_share, family)) + sum(files.values()))
            time.sleep(_PAUSE)
        took = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return most / 1e6, took


def _family(pid: int) -> Iterator[int]:
    """Yields a process and all that it started, directly or not, as long as their parents live."""
    yield pid
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))


def _share(pid: int) -> int:
    """Returns the bytes that are a process's share; 0 for one that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _memory_files(pid: int) -> Iterator[tuple[int, int]]:
    """Yields inode and bytes of the files in memory that a process has open."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).startswith("/memfd:"):
                    status = descriptor.stat()
                    yield status.st_ino, status.st_blocks * 512
