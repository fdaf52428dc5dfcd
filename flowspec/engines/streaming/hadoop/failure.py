"""A task that fails, in the words of the exceptions that Hadoop would log."""

from __future__ import annotations

import errno


class TaskFailure(Exception):
    """A task failed. `causes` are the exceptions of its trace, outermost first, each `class: message`."""

    def __init__(self, *causes: str) -> None:
        super().__init__(*causes)
        self.causes = causes

    def trace(self) -> list[str]:
        """Returns the telling lines of the trace, as LocalJobRunner logs it."""
        return [f"java.lang.Exception: {self.causes[0]}", *(f"Caused by: {cause}" for cause in self.causes)]


def from_os_error(error: OSError) -> TaskFailure:
    """Returns Hadoop's message when the system refuses to read or write (a full disk: `No space left on device`)."""
    reason = error.strerror or str(error)
    place = f"{error.filename}: " if error.filename and error.errno != errno.ENOSPC else ""
    return TaskFailure(f"java.io.IOException: {place}{reason}")
