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

from flowspec.engines.exit_status import as_in_shell
from flowspec.engines.linux import adopt_orphans, die_with_parent
from flowspec.engines.streaming.data.processes import kill_children
from flowspec.engines.streaming.hadoop.failure import ONE_AT_A_TIME, TaskFailure
from flowspec.interrupts import INTERRUPTS, interrupts_held_back

_GRACE = 3.0  # seconds that a process gets to end its own children
# Seconds between two checks whether a process has ended: most end within a millisecond, and the step waits for that.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.005


@dataclass(eq=False)
class PoolProcess:
    """A process, and the channel to it. While it is `awaited`, more messages are expected from it."""

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
        with interrupts_held_back():  # until the child runs its own code, and the parent knows of the child
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
        """Yields the messages of the members until no more are expected. Raises `TaskFailure` when one has died.

        `idle` is called at least every `interval` seconds.
        """
        while awaited := {member.channel: member for member in members if member.awaited}:
            for channel in wait(list(awaited), interval):
                assert isinstance(channel, Connection)
                member = awaited[channel]
                try:
                    message = channel.recv()
                except (EOFError, OSError):  # OSError: the process died while it sent a message, or before it read one
                    raise self._death_of(member) from None
                yield member, message
            idle()

    def end(self) -> None:
        """Ends all processes that still run: SIGTERM, a moment to clean up, SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for member in self._members:
                _signal(member.pid, number)
            deadline = time.monotonic() + _GRACE
            self._members = [member for member in self._members if not _await_end(member, deadline)]

    def _death_of(self, member: PoolProcess) -> TaskFailure:
        """Waits for a process that has closed its channel; returns the failure that its end is."""
        self._members.remove(member)
        member.channel.close()
        _, status = os.waitpid(member.pid, 0)
        number = as_in_shell(os.waitstatus_to_exitcode(status)) - 128
        ended = "ended by an error of flowspec's own (above): please report it"
        if number > 0:
            ended = f"was killed by signal {number}"
        if number == signal.SIGKILL:
            ended += f"; if memory ran out, {ONE_AT_A_TIME}"
        return TaskFailure(f"java.io.IOException: process {member.pid}, which ran tasks of this job, {ended}")

    def _run_child(self, parent: int, work: Callable[[Connection], None], channel: Connection) -> None:
        """Runs a child to its end; never returns."""
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
            die_with_parent(parent)
            adopt_orphans()
            for member in self._members:
                member.channel.close()
            work(channel)
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever it was, the child must end here
            self._log_crash()
        finally:
            with interrupts_held_back():
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
