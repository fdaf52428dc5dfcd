"""The types of a rule, and tolerant access to a RunJobFlow request.

A rule looks at the parameters of RunJobFlow. They may be incomplete or of wrong types: `validate` leaves
out what the schema refused, and `api_params` is checked against botocore's model only when it is compiled.

The access functions test for `dict`, not for the abstract `Mapping`: an instance check of an abstract class
costs ten times as much, and there are hundreds in the check of one spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from flowspec.facts.api_model import KeyPath

# The members that list the instances, the member that gives the role in each, and the noun for one item.
COLLECTIONS = (("InstanceGroups", "InstanceRole", "group"), ("InstanceFleets", "InstanceFleetType", "fleet"))


class Params(dict[str, Any]):
    """The parameters of RunJobFlow. Parts that many rules read are found only once for all rules."""

    @cached_property
    def instances(self) -> Mapping[str, Any]:
        """The request's `Instances`."""
        return mapping(self, "Instances")

    @cached_property
    def groups(self) -> list[tuple[KeyPath, Mapping[str, Any]]]:
        """The instance groups, with their paths."""
        return self._listed("InstanceGroups")

    @cached_property
    def fleets(self) -> list[tuple[KeyPath, Mapping[str, Any]]]:
        """The instance fleets, with their paths."""
        return self._listed("InstanceFleets")

    def _listed(self, name: str) -> list[tuple[KeyPath, Mapping[str, Any]]]:
        return [(("Instances", name, at), one) for at, one in mappings(self.instances, name)]


class Breach(NamedTuple):
    """A place of a request that breaks a rule.

    `path` leads there, ending at a member that may be absent. `words` is the message of EMR's answer; ""
    when EMR is not known to refuse it. `case` chooses between the wordings that a rule has for users, and
    `values` are put into them.
    """

    path: KeyPath
    words: str = ""
    case: str = ""
    values: Mapping[str, Any] = MappingProxyType({})


class Rule(NamedTuple):
    """A rule of EMR: its id in the catalogue of `flowspec explain`, its source, and the check.

    `refused`: EMR is known to refuse a request that breaks it, so it is an error and the embedded EMR
    refuses too; otherwise it is a warning and accepted. `aws_only`: it concerns an AWS account (roles,
    machines, costs), so it does not hold for the embedded EMR of `backend: local`. `code` is the error
    code of EMR's answer.
    """

    id: str
    source: str
    check: Callable[[Params], Iterator[Breach]]
    refused: bool
    aws_only: bool = False
    code: str = "ValidationException"


_Check: TypeAlias = "Callable[[Params], Iterator[Breach]]"


def refused(
    rule_id: str, source: str, *, aws_only: bool = False, code: str = "ValidationException"
) -> Callable[[_Check], Rule]:
    """Turns a check into a rule; EMR is known to refuse requests that break it."""
    return lambda check: Rule(rule_id, source, check, refused=True, aws_only=aws_only, code=code)


def doubtful(rule_id: str, source: str, *, aws_only: bool = False) -> Callable[[_Check], Rule]:
    """Turns a check into a rule; EMR accepts requests that break it, or is not known to refuse them."""
    return lambda check: Rule(rule_id, source, check, refused=False, aws_only=aws_only)


def mapping(value: Any, *keys: str) -> Mapping[str, Any]:
    """Returns the mapping at the end of `keys`; empty when it is absent or something else."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any, key: str) -> list[tuple[int, Any]]:
    """Returns the items of the list at `key`, with their indexes; none when there is no list."""
    found = value.get(key) if isinstance(value, dict) else None
    return list(enumerate(found)) if isinstance(found, (list, tuple)) else []


def mappings(value: Any, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Returns the mappings in the list at `key`, with their indexes."""
    found = value.get(key) if isinstance(value, dict) else None
    if not found or not isinstance(found, (list, tuple)):
        return []
    return [(index, item) for index, item in enumerate(found) if isinstance(item, dict)]


def integer(value: Any) -> int | None:
    """Returns the value if it is an integer (a boolean is none), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str:
    """Returns the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def first_given(params: Params, places: Sequence[tuple[str, ...]]) -> KeyPath:
    """Returns the first of the places that the request has, for a rule about missing or empty members; () if none."""
    return next((one for one in places if one[-1] in mapping(params, *one[:-1])), ())


def type_configs(params: Params) -> Iterator[tuple[KeyPath, Mapping[str, Any], Mapping[str, Any]]]:
    """Yields every entry of every fleet's InstanceTypeConfigs, with its path and its fleet."""
    for path, fleet in params.fleets:
        for at, config in mappings(fleet, "InstanceTypeConfigs"):
            yield (*path, "InstanceTypeConfigs", at), config, fleet


def machines(params: Params) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Yields everything that names an instance type with its hardware: the groups, and the fleets' type configs."""
    yield from params.groups
    yield from ((path, config) for path, config, _ in type_configs(params))


def scaling_policies(params: Params) -> Iterator[tuple[KeyPath, Mapping[str, Any], Mapping[str, Any]]]:
    """Yields the automatic scaling policies of the groups: path, policy and group."""
    for path, group in params.groups:
        if "AutoScalingPolicy" in group:
            yield (*path, "AutoScalingPolicy"), mapping(group, "AutoScalingPolicy"), group


def has_three_masters(params: Params) -> bool:
    """Returns True for a cluster with high availability, which EMR protects and keeps after its steps."""
    return any(three_masters(params)) or any(three_masters_in_a_fleet(params))


def three_masters(params: Params) -> Iterator[KeyPath]:
    """Yields the path of the count of a master group of three nodes."""
    for path, group in params.groups:
        if group.get("InstanceRole") == "MASTER" and group.get("InstanceCount") == 3:
            yield (*path, "InstanceCount")


def three_masters_in_a_fleet(params: Params) -> Iterator[KeyPath]:
    """Yields the path of the capacity of a master fleet of three nodes."""
    for path, fleet in params.fleets:
        if is_master_fleet(fleet) and fleet.get("TargetOnDemandCapacity") == 3:
            yield (*path, "TargetOnDemandCapacity")


def is_master_fleet(fleet: Mapping[str, Any]) -> bool:
    """Returns True if a fleet is the MASTER fleet."""
    return fleet.get("InstanceFleetType") == "MASTER"
