"""The event that a worker sleeps for: an exited child, SIGTERM, or a call that changed its cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
from pathlib import Path

_log = logging.getLogger(__name__)

# Seconds. Changes are announced through the pipe; this bounds the delay if a caller is killed before it writes.
_LONGEST_SLEEP = 5.0
# Without a named pipe (some network and FUSE file systems have none) the store is polled at this interval.
_POLL_SECONDS = 0.1


class TerminationRequested(Exception):
    """The worker received SIGTERM (shutdown of the machine, or kill)."""


class WakeEvent:
    """Waits for exited children, SIGTERM and writes to the named pipe `pipe`.

    `lock` is the cluster's lock file: once it is deleted (with the home), no call can reach the worker.
    """

    def __init__(self, pipe: Path, lock: Path) -> None:
        self._lock = lock
        self._children, waker = os.pipe()
        os.set_blocking(self._children, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._terminating = False
        self._watched = [self._children]
        self._longest = _LONGEST_SLEEP
        try:
            if not pipe.exists():
                os.mkfifo(pipe, 0o600)
            # Opened for reading and writing: with no writer left, a read-only end would be readable (EOF) for ever.
            self._watched.append(os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            _log.warning("named pipes are not available; polling the store every %s s: %s", _POLL_SECONDS, error)
            self._longest = _POLL_SECONDS

    def _on_sigterm(self, *_: object) -> None:
        self._terminating = True

    def sleep(self, seconds: float | None) -> None:
        """Waits for an event, at most `seconds`.

        Raises TerminationRequested after SIGTERM, FileNotFoundError if the cluster's folder was deleted.
        """
        longest = self._longest if seconds is None else max(0.0, min(seconds, self._longest))
        ready, _, _ = select.select(self._watched, [], [], longest)
        for descriptor in ready:
            os.read(descriptor, 4096)
        if self._terminating:
            self._terminating = False
            # A second SIGTERM must not interrupt the cleanup.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise TerminationRequested
        with contextlib.suppress(PermissionError):
            self._lock.stat()
