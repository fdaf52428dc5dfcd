"""Failure drills: faults that are asked for, so that what meets them can be tested.

    throttle=0.3, lost-answer@RunJobFlow=0.1, bootstrap-failure, spot-loss@2, step-failure@3, slow-start=30

They are given to a service (all its calls, and the clusters that it makes) or, by the tag `flowspec:inject`
of a RunJobFlow, to one cluster and the calls that name it.

    throttle[@Operation]=P        with probability P a call is refused: ThrottlingException, nothing is done
    lost-answer[@Operation]=P     the call is carried out, and its answer never arrives
    internal-error[@Operation]=P  the call is carried out, and the answer is EMR's internal error
    bootstrap-failure             the first bootstrap action fails on the master instance (without one: its set-up)
    spot-loss@N                   during the N-th step all spot instances are reclaimed (a core one if there are none)
    step-failure@N                the N-th step fails
    slow-start=SECONDS            the cluster is STARTING for so long (divided by the time scale); a fleet whose
                                  spot timeout is shorter gives up as its TimeoutAction says

Of two drills of the same kind for the same operation or step, the later one counts.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flowspec.emulator.api.errors import EmrError
from flowspec.errors import FlowspecError

TAG = "flowspec:inject"

# Operations whose model has InternalServerError, which EMR documents with status 400 (API reference, RunJobFlow).
# All others answer InternalServerException, with status 500.
OLD_INTERNAL_ERROR = frozenset(
    {
        "AddInstanceGroups",
        "AddJobFlowSteps",
        "CancelSteps",
        "DescribeJobFlows",
        "ModifyCluster",
        "ModifyInstanceGroups",
        "RunJobFlow",
        "SetKeepJobFlowAliveWhenNoSteps",
        "SetTerminationProtection",
        "SetUnhealthyNodeReplacement",
        "SetVisibleToAllUsers",
        "TerminateJobFlows",
    }
)

FAILING_STEP = {
    "Jar": "command-runner.jar",
    "Args": ["bash", "-c", "echo 'Exception in thread \"main\" java.lang.RuntimeException: failure drill' >&2; exit 1"],
}
"""The HadoopJarStep that runs in place of a step that is to fail."""

_EVERY = ""
_CALLS, _STEPS = ("throttle", "lost-answer", "internal-error"), ("spot-loss", "step-failure")
_FORMS = {
    **{name: f"{name}[@Operation]=P" for name in _CALLS},
    "bootstrap-failure": "bootstrap-failure",
    **{name: f"{name}@N" for name in _STEPS},
    "slow-start": "slow-start=SECONDS",
}


class AnswerLost(Exception):
    """The call was carried out, and no answer may reach the caller."""


@dataclass(frozen=True)
class Drills:
    """What is to go wrong: probabilities by operation ("" for every one), numbers of steps from 1, seconds."""

    throttle: Mapping[str, float] = field(default_factory=dict)
    lost_answer: Mapping[str, float] = field(default_factory=dict)
    internal_error: Mapping[str, float] = field(default_factory=dict)
    bootstrap_failure: bool = False
    spot_loss: frozenset[int] = frozenset()
    step_failure: frozenset[int] = frozenset()
    slow_start: float = 0.0

    def before(self, operation: str) -> None:
        """Refuses a call that is to be throttled."""
        if _strikes(self.throttle, operation):
            raise EmrError("ThrottlingException", "Rate exceeded")

    def after(self, operation: str) -> None:
        """Spoils the answer of a call that has been carried out. Raises EmrError or AnswerLost."""
        if _strikes(self.internal_error, operation):
            raise _internal_error(operation)
        if _strikes(self.lost_answer, operation):
            raise AnswerLost(operation)


def _strikes(probabilities: Mapping[str, float], operation: str) -> bool:
    probability = probabilities.get(operation, probabilities.get(_EVERY, 0.0))
    return random.random() < probability  # noqa: S311 - a fault, not a secret


def _internal_error(operation: str) -> EmrError:
    text = "An internal error occurred while processing the request."
    if operation in OLD_INTERNAL_ERROR:
        return EmrError("InternalServerError", text)
    return EmrError("InternalServerException", text, status=500)


def parse(text: str, operations: Collection[str] | None = None) -> Drills:
    """The drills in a list separated by commas or blanks. `operations` are those that there are, if that matters.

    Raises FlowspecError for what is no drill.
    """
    drills = Drills()
    for word in text.replace(",", " ").split():
        drills = replace(drills, **_read(word, drills))
    if operations is not None:
        _require_known(drills, operations)
    return drills


def tagged(request: Mapping[str, Any]) -> str:
    """The list of drills in the tag of a RunJobFlow, "" without one."""
    return next((tag.get("Value") or "" for tag in request.get("Tags", ()) if tag.get("Key") == TAG), "")


def _require_known(drills: Drills, known: Collection[str]) -> None:
    named = {*drills.throttle, *drills.lost_answer, *drills.internal_error} - {_EVERY}
    for operation in sorted(named - set(known)):
        close = difflib.get_close_matches(operation, known, 1)
        remedy = f"did you mean {close[0]}?" if close else "the operations are those of the EMR API, such as RunJobFlow"
        raise FlowspecError(f"in a failure drill: EMR has no operation '{operation}'", remedy=remedy)


def _read(word: str, drills: Drills) -> dict[str, Any]:
    """What a drill sets: the members of `Drills` with their new values."""
    head, equals, value = word.partition("=")
    name, at, place = head.partition("@")
    if name not in _FORMS:
        raise FlowspecError(f"'{name}' is no failure drill", remedy=f"there are: {', '.join(_FORMS.values())}")
    member = name.replace("-", "_")
    if name in _CALLS and equals and bool(at) == bool(place):
        probability = _number(word, value, name, "a probability from 0 to 1", most=1)
        return {member: {**getattr(drills, member), place: probability}}
    if name in _STEPS and not equals:
        number = _number(word, place, name, "the number of a step, from 1", least=1)
        return {member: getattr(drills, member) | {int(number)}}
    if name == "slow-start" and equals and not at:
        return {member: _number(word, value, name, "a number of seconds")}
    if word == "bootstrap-failure":
        return {member: True}
    raise FlowspecError(f"in the failure drill '{word}' something is missing or too much", remedy=_remedy(name))


def _number(word: str, text: str, name: str, what: str, *, least: float = 0, most: float = math.inf) -> float:
    whole = name in _STEPS
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and least <= number <= most):
        raise FlowspecError(f"in the failure drill '{word}': '{text}' is not {what}", remedy=_remedy(name))
    return number


def _remedy(name: str) -> str:
    return f"write {_FORMS[name]}"
