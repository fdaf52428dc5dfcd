"""Writes the syslog of a job, line by line as Hadoop's client does.

`2026-11-22 17:00:00,123 ERROR StreamJob: Job not successful!` - and plain lines (usage, traces).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


class JobLog:
    """Appends to a file, or to standard error; safe to share among the processes of a job.

    If the disk is full, the line is written to standard error instead; one that can't be written there is lost.
    """

    def __init__(self, path: Path | None) -> None:
        self._descriptor = 2 if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._is_file = path is not None

    @classmethod
    def from_environment(cls) -> JobLog:
        """Opens the log that FLOWSPEC_SYSLOG names; standard error without it. Raises OSError."""
        path = os.environ.get("FLOWSPEC_SYSLOG")
        return cls(Path(path) if path else None)

    def line(self, level: str, logger: str, message: str) -> None:
        """Writes a line with its time, level and logger."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        self._write(f"{stamp},{int(now * 1000) % 1000:03d} {level} {logger}: {message}\n")

    def info(self, logger: str, message: str) -> None:
        """Writes a line of level INFO."""
        self.line("INFO", logger, message)

    def warn(self, logger: str, message: str) -> None:
        """Writes a line of level WARN."""
        self.line("WARN", logger, message)

    def error(self, logger: str, message: str) -> None:
        """Writes a line of level ERROR."""
        self.line("ERROR", logger, message)

    def plain(self, lines: Iterable[str]) -> None:
        """Writes lines as they are, such as those of a trace."""
        self._write("".join(f"{line}\n" for line in lines))

    def client(self, message: str) -> None:
        """Writes what Hadoop's client prints on standard error, without a time; it is logged as well."""
        self.plain([message])
        if self._is_file:
            _write_to_stderr(f"{message}\n")

    def close(self) -> None:
        """Closes the file."""
        if self._is_file:
            os.close(self._descriptor)

    def _write(self, text: str) -> None:
        try:
            os.write(self._descriptor, _encode(text))
        except OSError:
            _write_to_stderr(text)


def _write_to_stderr(text: str) -> None:
    with suppress(OSError):
        os.write(2, _encode(text))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
