"""A check's outcome; runs checks in parallel, each with a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from flowspec.errors import FlowspecError


class State(Enum):
    """The result of a check; only `MISSING` keeps the spec from running."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"
    """It is missing, but the spec does not need it."""
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check: its subject, its result, what was found, and the remedy."""

    name: str
    state: State
    found: str
    remedy: str = ""


def absent_check(name: str, found: str, remedy: str, *, needed: bool) -> Check:
    """Returns the outcome for something that is not there."""
    return Check(name, State.MISSING if needed else State.OPTIONAL, found, remedy)


Work: TypeAlias = "tuple[str, Callable[[], Check]]"
"""A check's name, and the function that makes it."""


def run_checks(works: Iterable[Work], seconds: float) -> list[Check]:
    """Runs checks at once; one that takes longer than `seconds` is reported as not checked.

    An exception of a check that is neither FlowspecError nor OSError is raised again here.
    """
    outcomes: dict[int, Check] = {}
    unexpected: list[Exception] = []
    threads = []

    def run(number: int, work: Work) -> None:
        try:
            outcomes[number] = _run_check(work)
        except Exception as error:  # noqa: BLE001 - a thread would print its traceback
            unexpected.append(error)

    for number, work in enumerate(works):
        # Daemons: a check that hangs (a file system, a credential process) must not keep the command from ending.
        thread = threading.Thread(target=run, args=(number, work), daemon=True)
        thread.start()
        threads.append((thread, work[0]))
    _join_all([thread for thread, _ in threads], seconds)
    if unexpected:
        raise unexpected[0]
    late = f"no answer within {seconds:g} s"
    return [outcomes.get(number, Check(name, State.UNCHECKED, late)) for number, (_, name) in enumerate(threads)]


def _run_check(work: Work) -> Check:
    name, check = work
    try:
        return check()
    except FlowspecError as error:
        return Check(name, State.UNCHECKED, error.message, error.remedy)
    except OSError as error:
        return Check(name, State.UNCHECKED, str(error))


def _join_all(threads: list[threading.Thread], seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
