"""Checks EC2: the key pair, subnets and security groups of a plan, and the instance types offered in their zones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from flowspec.backend.aws.client import Ask, Emr
from flowspec.backend.aws.preflight.refusals import unchecked
from flowspec.backend.threads import Threads
from flowspec.errors import FlowspecError, number_of
from flowspec.facts.api_model import KeyPath
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding, Level

_Params = Mapping[str, Any]
# The members of Instances that name security groups, and the spec's words for them.
_GROUPS = {
    "EmrManagedMasterSecurityGroup": "emr_managed_master_security_group",
    "EmrManagedSlaveSecurityGroup": "emr_managed_slave_security_group",
    "ServiceAccessSecurityGroup": "service_access_security_group",
    "AdditionalMasterSecurityGroups": "additional_master_security_groups",
    "AdditionalSlaveSecurityGroups": "additional_slave_security_groups",
}


def network_findings(emr: Emr, plan: Plan) -> list[Finding]:
    """Checks what a new cluster needs of EC2; a call for each kind of thing that the request names."""
    instances = plan.request.get("Instances", {})
    others = [subnet for one in plan.fallback for subnet in _named_subnets(one.get("Instances", {}))]
    ask, named = emr.ask("ec2"), _named_groups(instances)
    with Threads() as pool:
        keys = pool.submit(_key_findings, ask, instances)
        groups = pool.submit(_describe_named, ask, "DescribeSecurityGroups", "SecurityGroups", "group-id", named)
        subnets, found = _subnets(ask, instances, others)
        found += keys.result()
        found += _group_findings(groups, named, subnets)
        return [*found, *_type_findings(ask, instances, subnets, emr.region)]


def _describe_named(ask: Ask, operation: str, member: str, filter_: str, values: Iterable[str]) -> list[dict[str, Any]]:
    """Returns the descriptions of those named resources that exist: with a filter, missing ones are no error."""
    if not (names := list(values)):
        return []
    return list(ask(operation, Filters=[{"Name": filter_, "Values": names}]).get(member, ()))


def _named_subnets(instances: _Params) -> list[str]:
    return list(instances.get("Ec2SubnetIds") or filter(None, [instances.get("Ec2SubnetId")]))


def _subnets(ask: Ask, instances: _Params, others: Iterable[str]) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Returns the subnets of the first launch, as EC2 describes them, and the findings about them.

    `others` are the subnets of the alternatives.
    """
    first = _named_subnets(instances)
    names = list(dict.fromkeys([*first, *others]))
    path: KeyPath = ("Instances", "Ec2SubnetIds" if instances.get("Ec2SubnetIds") else "Ec2SubnetId")
    if not names:
        return [], []
    try:
        subnets = _describe_named(ask, "DescribeSubnets", "Subnets", "subnet-id", names)
    except FlowspecError as error:
        return [], [unchecked(f"subnet {name}", error) for name in names]
    known = {one["SubnetId"] for one in subnets}
    found = [_existence_finding(f"subnet {name}", name in known, path, name) for name in names]
    networks = sorted({one["VpcId"] for one in subnets})
    if len(networks) > 1:
        found.append(Finding(Level.WRONG, "subnets", f"are of several networks: {', '.join(networks)}", _ONE, path))
    subnets = [one for one in subnets if one["SubnetId"] in first]
    return subnets, [*found, *_room_findings(subnets, instances, path)]


_ONE = "EMR takes subnets of one VPC"


def _room_findings(subnets: Sequence[_Params], instances: _Params, path: KeyPath) -> Iterator[Finding]:
    """Yields a warning when no subnet has an address for each instance."""
    wanted = _size(instances)
    room = max((one.get("AvailableIpAddressCount", wanted) for one in subnets), default=wanted)
    if room < wanted:
        message = (
            f"have at most {number_of(room, 'free address')}; the cluster starts with {number_of(wanted, 'instance')}"
        )
        yield Finding(Level.WARNING, "subnets", message, path=path)


def _size(instances: _Params) -> int:
    groups = sum(one.get("InstanceCount", 1) for one in instances.get("InstanceGroups", ()))
    # An instance of a fleet may count for several units of capacity, so the instances of fleets are not counted.
    return int(groups or instances.get("InstanceCount") or 1)


def _existence_finding(subject: str, exists: bool, path: KeyPath, value: str) -> Finding:
    if exists:
        return Finding(Level.OK, subject)
    return Finding(Level.WRONG, subject, "does not exist in this account and region", path=path, value=value)


def _key_findings(ask: Ask, instances: _Params) -> list[Finding]:
    name = instances.get("Ec2KeyName")
    if not name:
        return []
    subject = f"key pair {name}"
    try:
        there = _describe_named(ask, "DescribeKeyPairs", "KeyPairs", "key-name", [name])
    except FlowspecError as error:
        return [unchecked(subject, error)]
    return [_existence_finding(subject, bool(there), ("Instances", "Ec2KeyName"), name)]


def _named_groups(instances: _Params) -> dict[str, str]:
    """Returns the security groups, each with the member of Instances that names it."""
    named: dict[str, str] = {}
    for member in _GROUPS:
        value = instances.get(member, ())
        named |= dict.fromkeys([value] if isinstance(value, str) else value, member)
    return named


def _group_findings(
    groups: Future[list[dict[str, Any]]], named: Mapping[str, str], subnets: Sequence[_Params]
) -> list[Finding]:
    """Checks the security groups, as EC2 describes them: each exists, in the network of the subnets."""
    try:
        networks = {one["GroupId"]: one.get("VpcId", "") for one in groups.result()}
    except FlowspecError as error:
        return [unchecked(f"{_GROUPS[member]} {name}", error) for name, member in named.items()]
    there = {one["VpcId"] for one in subnets}
    found = []
    for name, member in named.items():
        subject, path = f"{_GROUPS[member]} {name}", ("Instances", member)
        one = _existence_finding(subject, name in networks, path, name)
        if name in networks and there and networks[name] not in there:
            message = f"is of network {networks[name]}, the subnets of {', '.join(sorted(there))}"
            one = Finding(Level.WRONG, subject, message, "name a group of the subnets' VPC", path, name)
        found.append(one)
    return found


def _types(instances: _Params) -> dict[str, list[tuple[KeyPath, list[str]]]]:
    """Returns the instance types of each group or fleet, with its path, by its role."""
    at: KeyPath = ("Instances",)
    found: dict[str, list[tuple[KeyPath, list[str]]]] = {}
    for index, one in enumerate(instances.get("InstanceGroups", ())):
        role = f"instance group {one['InstanceRole']}"
        found.setdefault(role, []).append(((*at, "InstanceGroups", index), [one["InstanceType"]]))
    for index, one in enumerate(instances.get("InstanceFleets", ())):
        types = [each["InstanceType"] for each in one.get("InstanceTypeConfigs", ())]
        found.setdefault(f"instance fleet {one['InstanceFleetType']}", []).append(
            ((*at, "InstanceFleets", index), types)
        )
    for member in ("MasterInstanceType", "SlaveInstanceType"):
        if instances.get(member):
            found[member.removesuffix("InstanceType").lower()] = [((*at, member), [instances[member]])]
    return {role: [pair for pair in pairs if pair[1]] for role, pairs in found.items()}


def _zones(instances: _Params, subnets: Sequence[_Params]) -> list[str]:
    placement = instances.get("Placement", {})
    named = placement.get("AvailabilityZones") or [placement.get("AvailabilityZone")]
    return sorted({one["AvailabilityZone"] for one in subnets} or {one for one in named if one})


def _type_findings(ask: Ask, instances: _Params, subnets: Sequence[_Params], region: str) -> list[Finding]:
    """Checks that EC2 offers at least one instance type of each group or fleet in a zone of the cluster."""
    by_role, zones = _types(instances), _zones(instances, subnets)
    names = sorted({name for pairs in by_role.values() for _, types in pairs for name in types})
    if not names:
        return []
    places = zones or [region]
    filters = [{"Name": "instance-type", "Values": names}, {"Name": "location", "Values": places}]
    try:
        offered = _instance_type_offers(ask, "availability-zone" if zones else "region", filters)
    except FlowspecError as error:
        return [unchecked(f"instance types {', '.join(names)}", error)]
    return [
        _offer_finding(role, types, path, places, offered) for role, pairs in by_role.items() for path, types in pairs
    ]


def _instance_type_offers(ask: Ask, kind: str, filters: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Returns the pairs of an instance type and a place where it is on offer."""
    params: dict[str, Any] = {"LocationType": kind, "Filters": filters}
    found: set[tuple[str, str]] = set()
    while True:
        answer = ask("DescribeInstanceTypeOfferings", **params)
        found |= {(one["InstanceType"], one["Location"]) for one in answer.get("InstanceTypeOfferings", ())}
        if not answer.get("NextToken"):
            return found
        params["NextToken"] = answer["NextToken"]


def _offer_finding(
    role: str, types: Sequence[str], path: KeyPath, places: Sequence[str], offered: set[tuple[str, str]]
) -> Finding:
    lacking = [(name, place) for place in places for name in types if (name, place) not in offered]
    named = ", ".join(types)
    if not lacking:
        return Finding(Level.OK, f"{role}: {named}")
    if len(lacking) == len(types) * len(places):
        message = f"is not on offer in {', '.join(places)}"
        return Finding(Level.WRONG, f"{role}: {named}", message, "take another type or another zone", path)
    lacking_text = ", ".join(f"{name} in {place}" for name, place in lacking)
    return Finding(Level.WARNING, f"{role}: {named}", f"some are not on offer: {lacking_text}", path=path)
