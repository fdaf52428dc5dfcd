"""The processors, the memory and the processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Returns the number of cores that this process may use, which a container or `taskset` may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_running(pid: int) -> bool:
    """Returns True if there is a process of this id, of whatever user."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        pass
    return True


def usable_memory() -> int:
    """Returns the bytes of memory that programs can still use, at most the limit of a container.

    0 where that is not known, as elsewhere than on Linux. Sources: proc_meminfo(5) (MemAvailable), cgroups(7).
    """
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, size = line.partition(":")
            if name == "MemAvailable":
                return min([int(size.split()[0]) * 1024, *_memory_limits()])
    return 0


def _memory_limits() -> Iterator[int]:
    """Yields the limits of this process's control group and of those above it, in bytes."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":  # version 2
            root, name = _CONTROL_GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CONTROL_GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / path.lstrip("/")
        # In a container the path may be that of the host, which is not here: the root is the container's group.
        for folder in (group, *group.parents):
            with suppress(OSError, ValueError):  # ValueError: "max"
                yield int((folder / name).read_text())
