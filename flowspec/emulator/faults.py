"""Fault injection: failures on request, to test how clients and flows handle them.

    throttle=0.3, lost-answer@RunJobFlow=0.1, bootstrap-failure, spot-loss@2, step-failure@3, slow-start=30

Faults apply to a whole service (all its calls, and the clusters that it creates) or, by the tag
`flowspec:inject` of a RunJobFlow, to one cluster and the calls that name it.

    throttle[@Operation]=P        with probability P a call is refused with ThrottlingException and has no effect
    lost-answer[@Operation]=P     with probability P a call takes effect and the connection closes without an answer
    internal-error[@Operation]=P  with probability P a call takes effect and is answered with EMR's internal error
    no-capacity@PLACE             EC2 has no instances in this subnet or zone, of this type, or on the spot market
                                  ("spot"): a cluster that can't do without fails while it is STARTING
    bootstrap-failure             the first bootstrap action fails on the master instance (without one: its set-up)
    spot-loss@N                   during the N-th step all spot instances are reclaimed (a core one if there are none)
    step-failure@N                the N-th step fails
    slow-start=SECONDS            the cluster stays STARTING for this time (divided by the time scale); a fleet whose
                                  spot timeout is shorter ends as its TimeoutAction says

If two faults of one kind name the same operation or step, the later one applies.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flowspec.emulator.errors import EmrError
from flowspec.errors import FlowspecError

TAG = "flowspec:inject"

# Operations whose botocore shape lists InternalServerError, which EMR documents with status 400 (API reference,
# RunJobFlow). All others answer InternalServerException with status 500.
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
    "Args": [
        "bash",
        "-c",
        "echo 'Exception in thread \"main\" java.lang.RuntimeException: injected fault' >&2; exit 1",
    ],
}
"""The HadoopJarStep that replaces a step which has to fail."""

_EVERY = ""
_CALLS, _STEPS = ("throttle", "lost-answer", "internal-error"), ("spot-loss", "step-failure")
_FORMS = {
    **{name: f"{name}[@Operation]=P" for name in _CALLS},
    "bootstrap-failure": "bootstrap-failure",
    **{name: f"{name}@N" for name in _STEPS},
    "slow-start": "slow-start=SECONDS",
    "no-capacity": "no-capacity@PLACE",
}


class AnswerLost(Exception):
    """The call took effect, but the client must not receive an answer."""


_NONE: Mapping[str, float] = MappingProxyType({})


class Faults(NamedTuple):
    """The faults to inject.

    Probabilities are by operation ("" for all operations); steps are numbered from 1; times are in seconds.
    """

    throttle: Mapping[str, float] = _NONE
    lost_answer: Mapping[str, float] = _NONE
    internal_error: Mapping[str, float] = _NONE
    bootstrap_failure: bool = False
    spot_loss: frozenset[int] = frozenset()
    step_failure: frozenset[int] = frozenset()
    slow_start: float = 0.0
    no_capacity: frozenset[str] = frozenset()

    def find_missing_capacity(self, request: Mapping[str, Any]) -> str:
        """Returns the types or the places for which a RunJobFlow request finds no capacity, "" when there is enough."""
        instances = request.get("Instances", {})
        subnets = instances.get("Ec2SubnetIds") or [instances.get("Ec2SubnetId")]
        zone = instances.get("Placement", {}).get("AvailabilityZone")
        places = [place for place in (*subnets, zone) if place]
        if places and self.no_capacity.issuperset(places):
            return ", ".join(places)
        return next(
            (kind for kinds in _requested_types(instances) if (kind := ", ".join(self._unavailable_types(kinds)))), ""
        )

    def _unavailable_types(self, kinds: Collection[tuple[str, str]]) -> Collection[str]:
        """Returns the types of a group or fleet if none of them is available."""
        gone = [name for name, market in kinds if name in self.no_capacity or market.lower() in self.no_capacity]
        return gone if len(gone) == len(kinds) else ()

    def before(self, operation: str) -> None:
        """Raises EmrError (ThrottlingException) if the call is to be throttled."""
        if _occurs(self.throttle, operation):
            raise EmrError("ThrottlingException", "Rate exceeded")

    def after(self, operation: str) -> None:
        """Raises EmrError or AnswerLost if the answer of a call that took effect is to be replaced or dropped."""
        if _occurs(self.internal_error, operation):
            raise _internal_error(operation)
        if _occurs(self.lost_answer, operation):
            raise AnswerLost(operation)


def _requested_types(instances: Mapping[str, Any]) -> Iterator[list[tuple[str, str]]]:
    """Yields the types of each group and fleet with their markets; a group or fleet needs one of them."""
    for group in instances.get("InstanceGroups", ()):
        yield [(group["InstanceType"], group.get("Market", ""))]
    for fleet in instances.get("InstanceFleets", ()):
        market = "SPOT" if fleet.get("TargetSpotCapacity") and not fleet.get("TargetOnDemandCapacity") else ""
        configs = fleet.get("InstanceTypeConfigs", ())
        if configs:
            yield [(config["InstanceType"], market) for config in configs]
    for member in ("MasterInstanceType", "SlaveInstanceType"):
        if instances.get(member):
            yield [(instances[member], "")]


def _occurs(probabilities: Mapping[str, float], operation: str) -> bool:
    probability = probabilities.get(operation, probabilities.get(_EVERY, 0.0))
    return random.random() < probability  # noqa: S311 - a simulated fault, not a secret


def _internal_error(operation: str) -> EmrError:
    text = "An internal error occurred while processing the request."
    if operation in OLD_INTERNAL_ERROR:
        return EmrError("InternalServerError", text)
    return EmrError("InternalServerException", text, status=500)


def parse(text: str, operations: Collection[str] | None = None) -> Faults:
    """Parses a list of faults separated by commas or blanks.

    With `operations`, an operation that is not among them is an error. Raises FlowspecError.
    """
    faults = Faults()
    for word in text.replace(",", " ").split():
        faults = faults._replace(**_parse_one(word, faults))
    if operations is not None:
        _require_known(faults, operations)
    return faults


def read_tag(request: Mapping[str, Any]) -> str:
    """Returns the list of faults in the tag of a RunJobFlow request, "" without one."""
    return next((tag.get("Value") or "" for tag in request.get("Tags", ()) if tag.get("Key") == TAG), "")


def _require_known(faults: Faults, known: Collection[str]) -> None:
    named = {*faults.throttle, *faults.lost_answer, *faults.internal_error} - {_EVERY}
    for operation in sorted(named - set(known)):
        remedy = _suggest(operation, known, "the operations are those of the EMR API, such as RunJobFlow")
        raise FlowspecError(f"fault injection: EMR has no operation '{operation}'", remedy=remedy)


def _suggest(word: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]}?" if close else otherwise


def _parse_one(word: str, faults: Faults) -> dict[str, Any]:
    """Parses one fault; returns the fields of `Faults` that it sets, with their new values."""
    head, equals, value = word.partition("=")
    name, at, place = head.partition("@")
    if name not in _FORMS:
        remedy = _suggest(name, _FORMS, f"known faults: {', '.join(_FORMS.values())}")
        raise FlowspecError(f"'{name}' is not a fault", remedy=remedy)
    member = name.replace("-", "_")
    if name in _CALLS and equals and bool(at) == bool(place):
        probability = _number(word, value, name, "a probability from 0 to 1", most=1)
        return {member: {**getattr(faults, member), place: probability}}
    if name in _STEPS and not equals:
        number = _number(word, place, name, "the number of a step, from 1", least=1)
        return {member: getattr(faults, member) | {int(number)}}
    if name == "no-capacity" and place and not equals:
        return {member: faults.no_capacity | {place}}
    if name == "slow-start" and equals and not at:
        return {member: _number(word, value, name, "a number of seconds")}
    if word == "bootstrap-failure":
        return {member: True}
    raise FlowspecError(f"the fault '{word}' is malformed", remedy=_remedy(name))


def _number(word: str, text: str, name: str, what: str, *, least: float = 0, most: float = math.inf) -> float:
    whole = name in _STEPS
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most or number == math.inf:
        raise FlowspecError(f"in the fault '{word}': '{text}' is not {what}", remedy=_remedy(name))
    return number


def _remedy(name: str) -> str:
    return f"write {_FORMS[name]}"
