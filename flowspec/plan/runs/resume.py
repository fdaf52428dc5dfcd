"""Finds the steps that the last run of a flow did not complete: those that failed, were cancelled, or never began.

A run may continue an earlier run, and so on: together they form a chain of runs. A step that any of them completed is
done. Steps are matched by name, in order, since a failed step is usually corrected before it runs again. A completed
step must have run what the spec says today; otherwise its results are not those that the remaining steps need.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from flowspec.document.masking import mask
from flowspec.errors import FlowspecError, number_of
from flowspec.plan.cluster import Step
from flowspec.plan.steps import step_identity

StepConfig: TypeAlias = "Mapping[str, Any]"

# The URI of a local file contains the hash of its content (`flowspec.request.assets`).
_HASH = re.compile(r"/[0-9a-f]{64}/")
CHOOSE_STEPS = "choose the steps of the new run: --from STEP, or --only NAME"
"""The remedy if the remaining steps are not known."""


class Run(NamedTuple):
    """An ended run: the `id` of its cluster, and its steps with the StepConfigs that they were made from.

    The steps are in the states that count (`backend.aws.runs.settle`), without attempts that were repeated.
    """

    id: str
    steps: tuple[tuple[StepConfig, Step], ...]


class Attempt(NamedTuple):
    """The last attempt of a step of the spec, and its run."""

    config: StepConfig
    step: Step
    run: str

    @property
    def completed(self) -> bool:
        """True if the step is done."""
        return self.step.state == "COMPLETED"


@dataclass(frozen=True, slots=True)
class Remainder:
    """The `indexes` of the request's remaining steps, and `notes` for the plan on how they were found."""

    indexes: tuple[int, ...]
    notes: tuple[str, ...]


def remainder(
    steps: Sequence[StepConfig],
    runs: Sequence[Run],
    *,
    chosen: bool,
    places: Callable[[int], str],
    secrets: Collection[str],
) -> Remainder:
    """Returns which of a request's `steps` a chain of `runs`, oldest first, did not complete.

    `chosen` says that the user named the steps of the first run: steps that it did not have do not remain to be run.
    `places` gives the place of a step in the spec, for errors; they do not show the `secrets`. Raises FlowspecError
    when the spec has changed so that the remaining steps can't be determined.
    """
    last, gone = _last_attempts(steps, runs)
    absent = [index for index in range(len(steps)) if index not in last]
    _refuse_other_work(steps, last, places, secrets)
    if not chosen:
        _refuse_unknown(steps, absent, last, gone, places)
    left = [index for index in range(len(steps)) if index in last and not last[index].completed]
    left = left if chosen else sorted([*left, *absent])
    notes = [
        *_done_notes(steps, last),
        *(_absent_note(steps[index]["Name"], runs[0].id, chosen=chosen) for index in absent),
        *(f"step {one.step.name} of {one.run} ({one.step.state}) is not in the spec any more" for one in gone),
        *_changed_notes(steps, last),
    ]
    return Remainder(tuple(left), tuple(notes))


def _last_attempts(steps: Sequence[StepConfig], runs: Sequence[Run]) -> tuple[dict[int, Attempt], list[Attempt]]:
    """Returns the last attempt at each step of the spec, by its index, and those at steps that are no longer in it."""
    last: dict[int, Attempt] = {}
    gone: list[Attempt] = []
    for run in runs:
        by_name: dict[str, list[Attempt]] = defaultdict(list)
        for config, step in run.steps:
            by_name[step.name].append(Attempt(config, step, run.id))
        for index, config in enumerate(steps):
            # A run contains the steps that earlier runs did not complete.
            if by_name[config["Name"]] and not (index in last and last[index].completed):
                last[index] = by_name[config["Name"]].pop(0)
        names = {config["Name"] for config in steps}
        gone += [one for name, rest in by_name.items() for one in rest if name not in names]
    return last, gone


def _refuse_other_work(
    steps: Sequence[StepConfig], last: Mapping[int, Attempt], places: Callable[[int], str], secrets: Collection[str]
) -> None:
    """Raises FlowspecError for a completed step that ran something else than the step in today's spec."""
    for index, one in last.items():
        if one.completed and _comparable_identity(one.config) != _comparable_identity(steps[index]):
            raise FlowspecError(
                f"{places(index)}: step {one.step.name!r} completed in {one.run}, but has changed since: "
                f"{_difference(one.config, steps[index], secrets)}; its results may not be those that the rest needs",
                remedy=f"give the --date and --var of that run; or {CHOOSE_STEPS}",
            )


def _refuse_unknown(
    steps: Sequence[StepConfig],
    absent: Sequence[int],
    last: Mapping[int, Attempt],
    gone: Sequence[Attempt],
    places: Callable[[int], str],
) -> None:
    """Raises FlowspecError for a step that no run contained, and that may be a renamed step."""
    renamed = next((one for one in gone if one.completed), None)
    latest = max((index for index, one in last.items() if one.completed), default=-1)
    for index in absent:
        step = f"{places(index)}: step {steps[index]['Name']!r}"
        if renamed:
            raise FlowspecError(
                f"{step} was not in {renamed.run}, where {renamed.step.name!r} completed, which is no longer in "
                "the spec: if it is the same step under its earlier name, it is done",
                remedy=f"give it that name again; or {CHOOSE_STEPS}",
            )
        if index < latest:
            raise FlowspecError(
                f"{step} is new, and {steps[latest]['Name']!r}, which comes after it, completed in {last[latest].run} "
                "without it: it is not known whether it should run",
                remedy=CHOOSE_STEPS,
            )


def _comparable_identity(config: StepConfig, *, files: bool = False) -> str:
    """Returns the identity of a step without the hashes of local files, or with `files` with them."""
    plain = config if files else json.loads(_HASH.sub("/", json.dumps(config, ensure_ascii=False)))
    return step_identity(plain)


def _difference(before: StepConfig, after: StepConfig, secrets: Collection[str]) -> str:
    """Returns the first argument in which two StepConfigs differ."""
    old, new = (_command_words(one) for one in (before, after))
    masked_old, masked_new = mask(old, secrets), mask(new, secrets)
    at = next((index for index, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    if at is None:
        return f"{number_of(len(old), 'argument')} then, {len(new)} now"
    return f"{masked_old[at]!r} then, {masked_new[at]!r} now"


def _command_words(config: StepConfig) -> list[str]:
    jar = json.loads(_HASH.sub("/", json.dumps(config.get("HadoopJarStep", {}))))
    pairs = [f"{one.get('Key')}={one.get('Value')}" for one in jar.get("Properties", ())]
    return [jar.get("Jar", ""), jar.get("MainClass") or "", *jar.get("Args", ()), *pairs]


def _done_notes(steps: Sequence[StepConfig], last: Mapping[int, Attempt]) -> Iterator[str]:
    by_run: dict[str, list[str]] = defaultdict(list)
    for index, one in sorted(last.items()):
        if one.completed:
            by_run[one.run].append(steps[index]["Name"])
    for run, names in by_run.items():
        yield f"done in {run}, and not run again: {', '.join(names)}"


def _absent_note(name: str, run: str, *, chosen: bool) -> str:
    if chosen:
        return f"step {name} was not in {run}, whose steps were chosen (--from, --only): it is not run"
    return f"step {name} is new since {run}"


def _changed_notes(steps: Sequence[StepConfig], last: Mapping[int, Attempt]) -> Iterator[str]:
    for index, one in sorted(last.items()):
        if _comparable_identity(one.config, files=True) != _comparable_identity(steps[index], files=True):
            what = "its files have changed since" if one.completed else "it has changed since"
            state = "completed" if one.completed else f"is {one.step.state}"
            yield f"step {one.step.name} {state} in {one.run}: {what}"
