"""The failure of a task, with the exceptions that Hadoop would log."""

from __future__ import annotations

import errno

ONE_AT_A_TIME = "FLOWSPEC_PARALLEL=1 runs one task at a time"
"""The remedy if a job needs more memory than this machine has."""

NOT_CONFIGURED = "java.lang.RuntimeException: Error in configuring object"
"""The exception in which Hadoop wraps an error that occurs while a mapper or reducer reads its configuration."""


class TaskFailure(Exception):
    """A task failed. `causes` are the exceptions of its trace, outermost first, each `class: message`."""

    def __init__(self, *causes: str) -> None:
        super().__init__(*causes)
        self.causes = causes

    def trace(self) -> list[str]:
        """Returns the important lines of the trace, as LocalJobRunner logs them."""
        return [f"java.lang.Exception: {self.causes[0]}", *(f"Caused by: {cause}" for cause in self.causes)]


FAILURES = (TaskFailure, OSError, MemoryError)
"""The exceptions that fail a task; any other is an error of this engine."""


def as_task_failure(error: BaseException) -> TaskFailure:
    """Returns one of the `FAILURES`, that of a system which refuses to read or write in Hadoop's words."""
    if isinstance(error, TaskFailure):
        return error
    if not isinstance(error, OSError):
        return TaskFailure(f"java.lang.OutOfMemoryError: no memory is left; {ONE_AT_A_TIME}")
    reason = error.strerror or str(error)
    place = f"{error.filename}: " if error.filename and error.errno != errno.ENOSPC else ""
    return TaskFailure(f"java.io.IOException: {place}{reason}")
