"""Exit statuses of processes as a shell gives them."""

from __future__ import annotations

NOT_STARTED = 127
"""The exit status of a program that could not be started."""


def as_in_shell(code: int) -> int:
    """Returns 128 + N for death by signal N, which `subprocess` gives as -N; else the exit status itself."""
    return code if code >= 0 else 128 - code
