"""Reads the logs and counters of the steps that a report shows in detail, as far as they can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from flowspec.backend.aws.diagnosis.diagnose import STEP_LOGS, Cause
from flowspec.backend.aws.logs import Logs, counters_of
from flowspec.engines.counters import Counters
from flowspec.errors import FlowspecError, sentence_of
from flowspec.inspection.tails import Tail, tail_of
from flowspec.plan.cluster import Step

_T = TypeVar("_T")

# The number of steps whose logs and counters are read: each step takes six objects of S3, some 50 ms each.
_DETAILED = 10


@dataclass(frozen=True, slots=True)
class StepDetail:
    """A step with the ends of its logs and the counters of its last job, and those of the last successful run.

    `where` is the folder of the logs. `tails` has only the logs that are there; `unread`: they could not be read.
    """

    step: Step
    where: str = ""
    tails: tuple[Tail, ...] = ()
    counters: Counters = field(default_factory=dict)
    earlier: Counters = field(default_factory=dict)
    unread: bool = False


class Notes:
    """Sentences about parts of a run that could not be read, each once."""

    def __init__(self) -> None:
        self.sentences: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        """Notes a sentence."""
        self.sentences[sentence] = None

    def read_or_note(self, subject: str, read: Callable[[], _T]) -> _T | None:
        """Returns the result of `read`; on an error, adds a note and returns None."""
        try:
            return read()
        except (FlowspecError, OSError) as error:
            self.add(f"{subject} could not be read: {sentence_of(error)}")
            return None


def choose_steps(steps: Sequence[Step], failed: Step | None) -> list[Step]:
    """Returns the steps whose details are shown, in their order; failed, running and the latest are preferred."""
    begun = [step for step in steps if step.started or step.ended]
    ranks = {"FAILED": 1, "RUNNING": 2}
    numbers = range(len(begun))
    order = sorted(numbers, key=lambda at: (begun[at] != failed, ranks.get(begun[at].state, 3), -at))
    return [begun[at] for at in sorted(order[:_DETAILED])]


@dataclass(frozen=True)
class LogReader:
    """Reads the details of steps, masked; after the first log that can't be read, it reads no others.

    `cause` is the cause of the run's failure; `earlier` are the logs of the last successful run, and its
    `counterparts` by the id of the later step.
    """

    logs: Logs
    notes: Notes
    secrets: Collection[str]
    cause: Cause | None
    earlier: Logs
    counterparts: Mapping[str, Step]

    def read(self, steps: Sequence[Step], *, unread: bool) -> Iterator[StepDetail]:
        """Yields the details of steps. `unread`: it is already known that the logs can't be read."""
        for step in steps:
            tails = None if unread else self.notes.read_or_note("logs", partial(self._tails, step))
            unread = tails is None
            where = self.logs.step_location(step.id)
            if tails:
                yield StepDetail(step, where, tails, *self._counters(step))
            else:
                yield StepDetail(step, where, unread=unread)

    def _tails(self, step: Step) -> tuple[Tail, ...]:
        found = (tail_of(self.logs, step.id, name, self.secrets, self.cause) for name in STEP_LOGS)
        return tuple(tail for tail in found if tail)

    def _counters(self, step: Step) -> tuple[Counters, Counters]:
        counters = self.notes.read_or_note("counters", lambda: counters_of(self.logs, step.id)) or {}
        before = self.counterparts.get(step.id) if counters else None
        if before is None:
            return counters, {}
        return counters, self.notes.read_or_note("earlier counters", lambda: counters_of(self.earlier, before.id)) or {}
