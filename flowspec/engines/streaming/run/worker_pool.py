"""Starts the forked processes of a job, receives their messages, notices when one dies, and ends them together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from flowspec.engines.streaming.data.processes import die_with_parent, kill_children

_GRACE = 3.0  # seconds that a process gets to end its own children
# Between two looks whether a process has ended: most end within a millisecond, and the step waits for it.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.005


@dataclass(eq=False)
class PoolProcess:
    """A process, and the channel to it. As long as it is `awaited`, more is expected from it."""

    pid: int
    channel: Connection
    awaited: bool = True


class WorkerPool:
    """All processes that one client has forked."""

    def __init__(self, log_crash: Callable[[], None]) -> None:
        self._members: list[PoolProcess] = []
        self._log_crash = log_crash

    def start(self, work: Callable[[Connection], None]) -> PoolProcess:
        """Forks a process that runs `work` with its end of a channel, and ends."""
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            ours.close()
            self._run_child(parent, work, theirs)
        theirs.close()
        member = PoolProcess(pid, ours)
        self._members.append(member)
        return member

    def messages(
        self, members: list[PoolProcess], idle: Callable[[], None], interval: float
    ) -> Iterator[tuple[PoolProcess, Any]]:
        """Yields the messages of the members until none of them is awaited; None from one that has died.

        `idle` is called at least every `interval` seconds.
        """
        while awaited := {member.channel: member for member in members if member.awaited}:
            for channel in wait(list(awaited), interval):
                assert isinstance(channel, Connection)
                member = awaited[channel]
                try:
                    message = channel.recv()
                except EOFError:
                    member.awaited, message = False, None
                yield member, message
            idle()

    def end(self) -> None:
        """Ends all that still live: SIGTERM, a moment to clean up, SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for member in self._members:
                _signal(member.pid, number)
            deadline = time.monotonic() + _GRACE
            self._members = [member for member in self._members if not _await_end(member, deadline)]

    def _run_child(self, parent: int, work: Callable[[Connection], None], channel: Connection) -> None:
        """Runs a child to its end; never returns."""
        status = 1
        try:
            die_with_parent(parent)
            for member in self._members:
                member.channel.close()
            work(channel)
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever it was, the child must end here
            self._log_crash()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt this
            kill_children()
            os._exit(status)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # ended by itself
        os.kill(pid, number)


def _await_end(member: PoolProcess, deadline: float) -> bool:
    pause = _SHORTEST_PAUSE
    while os.waitpid(member.pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    member.channel.close()
    return True
