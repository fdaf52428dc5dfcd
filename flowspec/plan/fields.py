"""Compares the request that is wanted with the request that a living cluster stands for, member by member.

Only what the request states is compared. What it no longer states, but an earlier apply did (`managed`), is a
difference, too: it has to be taken off the cluster. Both sides are brought to one form first, so that order, spelling
and EMR's own additions make no difference (`flowspec.backend.aws.live` has undone what the service spells otherwise).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeAlias

from flowspec.facts.mutability import Handling, Row, row_of
from flowspec.plan.cluster import TAG_PREFIX, Live

Json: TypeAlias = "Mapping[str, Any]"
Path: TypeAlias = "tuple[str | int, ...]"


class Kind(str, Enum):
    """The kind of a difference: a value to set, a thing to add, or one to remove."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Difference:
    """One member that is not as wanted.

    `path` leads to it in the wanted request (as far as the request goes), `address` names it for people, `resource`
    is the id of the instance group or fleet that it belongs to ("" for the cluster's own).
    """

    path: Path
    address: str
    before: Any
    after: Any
    row: Row
    kind: Kind = Kind.SET
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, and what was left alone on purpose (`notes`, a sentence each)."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def compare_fields(wanted: Json, live: Live, managed: Collection[str] = ()) -> Comparison:
    """Compares a RunJobFlow request with a live cluster; steps are compared elsewhere.

    `managed` holds the tokens (see `token`) of what the last apply stated.
    """
    request = expand_shorthand(wanted)
    notes: list[str] = []
    found = [
        *_members(request, live, managed),
        *_instances(request.get("Instances", {}), live.params.get("Instances", {})),
        *_tags(request, live.params, managed),
        *_groups(request, live, managed, notes),
        *_fleets(request, live, notes),
    ]
    return Comparison(tuple(found), tuple(notes))


# -- what an apply states, so that a later one can see what is gone


def token(address: str) -> str:
    """A short name of a stated member: 5 hexadecimal digits, of which 51 fit into the value of one tag."""
    return hashlib.sha256(address.encode()).hexdigest()[:5]


def stated(wanted: Json) -> Iterator[str]:
    """The addresses of what can be taken off a cluster again: tags, policies, configurations of groups."""
    yield from (f"tags.{tag['Key']}" for tag in wanted.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX))
    yield from (snake(name) for name in _POLICIES if wanted.get(name))
    for group in wanted.get("Instances", {}).get("InstanceGroups", ()):
        for name in _REMOVABLE_OF_A_GROUP:
            if group.get(name):
                yield f"{_group_address(group)}.{snake(name)}"


# -- one form for both sides


def expand_shorthand(wanted: Json) -> Json:
    """The request with MasterInstanceType, SlaveInstanceType and InstanceCount written as groups, as EMR makes them."""
    instances = wanted.get("Instances", {})
    if "MasterInstanceType" not in instances:
        return wanted
    kept = {key: value for key, value in instances.items() if key not in _SHORTHAND}
    master, count = instances["MasterInstanceType"], instances.get("InstanceCount", 1)
    groups = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        worker = instances.get("SlaveInstanceType", master)
        groups.append({"InstanceRole": "CORE", "InstanceType": worker, "InstanceCount": count - 1})
    return {**wanted, "Instances": {**kept, "InstanceGroups": groups}}


_SHORTHAND = ("MasterInstanceType", "SlaveInstanceType", "InstanceCount")


def _without_last_slash(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    return f"s3://{rest.rstrip('/')}" if separator and scheme in {"s3", "s3n", "s3a"} else uri.rstrip("/")


def _last_part(role: str) -> str:
    """A role or an instance profile may be given by name or ARN; both mean the same one."""
    return role.rpartition("/")[2]


def _names(applications: Sequence[Json]) -> frozenset[str]:
    """EMR ignores the case of applications' names, their order, and (from 4.0 on) all but the name."""
    return frozenset(str(one.get("Name", "")).lower() for one in applications)


def _configurations(value: Sequence[Json]) -> Json:
    """Classifications in any order; without properties and without nested ones, one says nothing."""
    out: dict[str, Any] = {}
    for one in value:
        inner = {
            "properties": {
                **out.get(one.get("Classification", ""), {}).get("properties", {}),
                **one.get("Properties", {}),
            },
            "configurations": _configurations(one.get("Configurations", ())),
        }
        out[one.get("Classification", "")] = {key: item for key, item in inner.items() if item}
    return {key: item for key, item in out.items() if item}


def _volumes(value: Json) -> Any:
    """The volumes of an instance, one by one: EMR lists them so."""
    each = [
        config["VolumeSpecification"]
        for config in value.get("EbsBlockDeviceConfigs", ())
        for _ in range(config.get("VolumesPerInstance", 1))
    ]
    by_size = sorted(each, key=lambda volume: (str(volume.get("VolumeType")), volume.get("SizeInGB", 0)))
    optimized = {key: value[key] for key in ("EbsOptimized",) if key in value}
    return {**optimized, "EbsBlockDeviceConfigs": by_size}


def _price(value: str) -> Any:
    try:
        return Decimal(value).normalize()
    except (InvalidOperation, TypeError):
        return value


def _policy(value: Json) -> Json:
    """Rules by name; the dimension that EMR adds is none of the request's."""
    rules = {}
    for rule in value.get("Rules", ()):
        alarm = rule.get("Trigger", {}).get("CloudWatchAlarmDefinition", {})
        dimensions = [one for one in alarm.get("Dimensions", ()) if one.get("Key") != "JobFlowId"]
        rest = {key: item for key, item in alarm.items() if key != "Dimensions"}
        rules[rule.get("Name", "")] = {
            **rule,
            "Trigger": {**rest, **({"Dimensions": dimensions} if dimensions else {})},
        }
    return {"Constraints": value.get("Constraints", {}), "Rules": rules}


_FORMS: dict[str, Callable[[Any], Any]] = {
    "LogUri": _without_last_slash,
    "JobFlowRole": _last_part,
    "ServiceRole": _last_part,
    "AutoScalingRole": _last_part,
    "Applications": _names,
    "Configurations": _configurations,
    "EbsConfiguration": _volumes,
    "BidPrice": _price,
    "AutoScalingPolicy": _policy,
    "AdditionalMasterSecurityGroups": frozenset,
    "AdditionalSlaveSecurityGroups": frozenset,
    "Ec2SubnetIds": frozenset,
    "PlacementGroupConfigs": lambda value: sorted(value, key=str),
}
# Where the whole value counts: what the request leaves out of it is not on the cluster.
_EXACT = frozenset({"Applications", "Configurations", "BootstrapActions", "ManagedScalingPolicy", "AutoScalingPolicy"})


def same(name: str, wanted: Any, live: Any) -> bool:
    """True if a stated member is on the cluster as wanted. A member that the request leaves open always is."""
    if wanted in (None, [], {}, ""):
        return name not in _EXACT or not live
    form = _FORMS.get(name, lambda value: value)
    if live is None:
        return False
    one, other = form(wanted), form(live)
    return bool(one == other) if name in _STRICT else _fits(one, other)


_STRICT = frozenset({"Applications", "Configurations"})


def _fits(wanted: Any, live: Any) -> bool:
    """True if all that `wanted` states is in `live`: EMR fills in what was left open."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            _fits(item, live.get(key)) for key, item in wanted.items() if item not in (None, [], {}, "")
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(live, list | tuple)
            and len(wanted) == len(live)
            and all(_fits(one, other) for one, other in zip(wanted, live, strict=True))
        )
    return bool(wanted == live)


# -- the cluster's own members

_POLICIES = ("ManagedScalingPolicy", "AutoTerminationPolicy")
_ELSEWHERE = frozenset({"Instances", "Tags", "Steps"})


def _members(wanted: Json, live: Live, managed: Collection[str]) -> Iterator[Difference]:
    for name, value in wanted.items():
        row = row_of(name)
        if name in _ELSEWHERE or name in live.unread or row.handling not in {Handling.IN_PLACE, Handling.REPLACE}:
            continue
        now = live.params.get(name)
        # Of KerberosAttributes only the realm is given back, never the passwords. Without applications asked for,
        # EMR installs and lists what it thinks fit.
        readable = {"Realm": value.get("Realm")} if name == "KerberosAttributes" else value
        if not (name == "Applications" and not value) and not same(name, readable, now):
            yield Difference((name,), snake(name), now, value, row)
    for name in _POLICIES:
        if name not in wanted and live.params.get(name) and token(snake(name)) in managed:
            yield Difference((), snake(name), live.params[name], None, row_of(name), Kind.REMOVE)


def _instances(wanted: Json, live: Json) -> Iterator[Difference]:
    for name, value in wanted.items():
        if name in {"InstanceGroups", "InstanceFleets"}:
            continue
        row = row_of(f"Instances.{name}")
        if row.handling not in {Handling.IN_PLACE, Handling.REPLACE}:
            continue
        read, stated_as_list = _as_lists(name, value)
        if not same(read, stated_as_list, live.get(read)):
            yield Difference(("Instances", name), snake(name), live.get(read), value, row)


def _as_lists(name: str, value: Any) -> tuple[str, Any]:
    """A single subnet or zone as the list of one that it is read back as."""
    if name == "Ec2SubnetId":
        return "Ec2SubnetIds", [value] if value else None
    if name == "Placement":
        zones = value.get("AvailabilityZones") or [zone for zone in (value.get("AvailabilityZone"),) if zone]
        return name, {"AvailabilityZones": zones}
    return name, value


def _tags(wanted: Json, live: Json, managed: Collection[str]) -> Iterator[Difference]:
    """Tags that someone else put on the cluster are left alone: only what an apply stated is taken off again."""
    now = {tag["Key"]: tag["Value"] for tag in live.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)}
    then = {tag["Key"]: (index, tag.get("Value", "")) for index, tag in enumerate(wanted.get("Tags", ()))}
    row = row_of("Tags")
    for key, (index, value) in then.items():
        if key.startswith(TAG_PREFIX) or now.get(key) == value:
            continue
        kind = Kind.SET if key in now else Kind.ADD
        yield Difference(("Tags", index), f"tags.{key}", now.get(key), value, row, kind)
    for key, value in now.items():
        if key not in then and token(f"tags.{key}") in managed:
            yield Difference((), f"tags.{key}", value, None, row, Kind.REMOVE)


# -- instance groups

_REMOVABLE_OF_A_GROUP = ("AutoScalingPolicy", "Configurations")
_COMPARED_OF_A_GROUP = ("InstanceType", "Market", "BidPrice", "EbsConfiguration", "CustomAmiId")
_GROUPS = "Instances.InstanceGroups"


def _group_address(group: Json) -> str:
    """`instance group CORE`; a task group has its name beside it, since there may be many."""
    role = group.get("InstanceRole", "")
    return (
        f"instance group {role} {group['Name']}" if role == "TASK" and group.get("Name") else f"instance group {role}"
    )


def _groups(wanted: Json, live: Live, managed: Collection[str], notes: list[str]) -> Iterator[Difference]:
    then = wanted.get("Instances", {}).get("InstanceGroups")
    now = live.params.get("Instances", {}).get("InstanceGroups", ())
    if then is None or (not then and not now):
        return
    if not now:
        yield _other_collection("InstanceGroups", then)
        return
    sized = _sized_by_policy(wanted, live)
    matched = match_groups(then, now)
    for index, group in enumerate(then):
        at: Path = ("Instances", "InstanceGroups", index)
        found = matched.get(index)
        if found is None:
            yield Difference(
                at, _group_address(group), None, group, row_of(f"{_GROUPS}[]", group["InstanceRole"]), Kind.ADD
            )
        else:
            yield from _group(group, now[found], live.ids[found], at, managed, notes=notes, sized=sized)
    for index, group in enumerate(now):
        # A group that was taken away stays listed for ever, with no instances: EMR deletes none.
        if index not in matched.values() and group.get("InstanceCount"):
            role = group.get("InstanceRole", "")
            row, count = row_of(f"{_GROUPS}[]", role), group["InstanceCount"]
            yield Difference((), _group_address(group), count, 0, row, Kind.REMOVE, live.ids[index])


def _sized_by_policy(wanted: Json, live: Live) -> bool:
    """True if managed scaling moves the sizes: once it is set, EMR does."""
    return bool(live.params.get("ManagedScalingPolicy") or wanted.get("ManagedScalingPolicy"))


def _other_collection(name: str, then: Sequence[Json]) -> Difference:
    other = "instance fleets" if name == "InstanceGroups" else "instance groups"
    return Difference(
        ("Instances", name), snake(name), other, then, Row(name, Handling.REPLACE, "API: fixed at launch")
    )


def match_groups(then: Sequence[Json], now: Sequence[Json]) -> dict[int, int]:
    """Which wanted group is which live one (by index): master and core by their role, task groups by name and kind.

    A task group of the same name but of another type, market or volumes is another group: EMR can't change one into
    the other. Among equals, one that has instances goes first.
    """
    free = list(range(len(now)))
    matched: dict[int, int] = {}

    def take(index: int, fits: Callable[[Json], bool]) -> None:
        fitting = [one for one in free if fits(now[one])]
        if fitting:
            best = max(fitting, key=lambda one: (now[one].get("InstanceCount", 0) > 0, -one))
            free.remove(best)
            matched[index] = best

    for index, group in enumerate(then):
        role = group.get("InstanceRole")
        if role != "TASK":
            take(index, lambda other, role=role: other.get("InstanceRole") == role)  # type: ignore[misc]
    for by_name in (True, False):
        for index, group in enumerate(then):
            if index not in matched and group.get("InstanceRole") == "TASK":
                take(index, lambda other, group=group, by_name=by_name: _same_task(group, other, by_name))  # type: ignore[misc]
    return matched


def _same_task(group: Json, other: Json, by_name: bool) -> bool:
    if other.get("InstanceRole") != "TASK":
        return False
    named = group.get("Name") == other.get("Name") if by_name else not group.get("Name")
    return named and all(same(name, _meant(group, name), other.get(name)) for name in _COMPARED_OF_A_GROUP)


def _meant(group: Json, name: str) -> Any:
    """A group with a bid is a spot group, and one without a market is on demand (API: InstanceGroupConfig)."""
    if name == "Market" and not group.get("Market"):
        return "SPOT" if group.get("BidPrice") else "ON_DEMAND"
    return group.get(name)


def _group(
    group: Json, now: Json, group_id: str, at: Path, managed: Collection[str], *, notes: list[str], sized: bool
) -> Iterator[Difference]:
    role, address = group.get("InstanceRole", ""), _group_address(group)

    def differs(name: str, kind: Kind = Kind.SET) -> Difference:
        row = row_of(f"{_GROUPS}[].{name}", role)
        label = "count" if name == "InstanceCount" else snake(name).removeprefix("instance_")
        path = (*at, name) if name in group else at
        return Difference(path, f"{address}: {label}", now.get(name), group.get(name), row, kind, group_id)

    for name in ("Name", *_COMPARED_OF_A_GROUP):
        if (name in group or name == "Market") and not same(name, _meant(group, name), now.get(name)):
            yield differs(name)
    count, running = group.get("InstanceCount"), now.get("InstanceCount", 0)
    if count != running:
        policy = now.get("AutoScalingPolicy") and group.get("AutoScalingPolicy")
        if role != "MASTER" and (sized or policy):
            owner = "managed scaling" if sized else "its automatic scaling policy"
            notes.append(f"{address} has {running} instances where the spec says {count}: {owner} moves it")
        else:
            yield differs("InstanceCount")
    for name in _REMOVABLE_OF_A_GROUP:
        if group.get(name):
            if not same(name, group[name], now.get(name)):
                yield differs(name)
        elif now.get(name) and token(f"{address}.{snake(name)}") in managed:
            yield differs(name, Kind.REMOVE)


# -- instance fleets

_FLEETS = "Instances.InstanceFleets"
_TARGETS = ("TargetOnDemandCapacity", "TargetSpotCapacity")


def _fleets(wanted: Json, live: Live, notes: list[str]) -> Iterator[Difference]:
    then = wanted.get("Instances", {}).get("InstanceFleets")
    now = live.params.get("Instances", {}).get("InstanceFleets", ())
    if not then:
        return
    if not now:
        yield _other_collection("InstanceFleets", then)
        return
    by_role = {fleet.get("InstanceFleetType"): index for index, fleet in enumerate(now)}
    for index, fleet in enumerate(then):
        role, at = fleet["InstanceFleetType"], ("Instances", "InstanceFleets", index)
        found = by_role.pop(role, None)
        if found is None:
            yield Difference(at, f"instance fleet {role}", None, fleet, row_of(f"{_FLEETS}[]", role), Kind.ADD)
        else:
            yield from _fleet(fleet, now[found], live.ids[found], at, notes, sized=_sized_by_policy(wanted, live))
    for role, index in by_role.items():
        if any(now[index].get(name) for name in _TARGETS):
            row, before = row_of(f"{_FLEETS}[]", str(role)), {name: now[index].get(name, 0) for name in _TARGETS}
            yield Difference((), f"instance fleet {role}", before, 0, row, Kind.REMOVE, live.ids[index])


def _fleet(fleet: Json, now: Json, fleet_id: str, at: Path, notes: list[str], *, sized: bool) -> Iterator[Difference]:
    role = fleet["InstanceFleetType"]

    def differs(name: str, member: str = "") -> Difference:
        row = row_of(f"{_FLEETS}[].{member or name}", role)
        address = f"instance fleet {role}: {snake(name)}"
        return Difference((*at, name), address, now.get(name), fleet.get(name), row, Kind.SET, fleet_id)

    for name in ("Name", "LaunchSpecifications", "ResizeSpecifications", "Context"):
        if fleet.get(name) and not same(name, fleet[name], now.get(name)):
            yield differs(name)
    for name in _TARGETS:
        wanted, current = fleet.get(name, 0), now.get(name, 0)
        if wanted != current:
            if sized and role != "MASTER":
                notes.append(
                    f"instance fleet {role} has {snake(name)} {current} where the spec says {wanted}: "
                    "managed scaling moves it"
                )
            else:
                yield differs(name)
    kind = _types_differ(fleet.get("InstanceTypeConfigs", ()), now.get("InstanceTypeConfigs", ()))
    if kind:
        yield differs("InstanceTypeConfigs", kind)


def _types_differ(then: Sequence[Json], now: Sequence[Json]) -> str:
    """The member that differs: "" none, the types' Configurations only (in place), or the types themselves."""
    if not then:
        return ""
    rest, other = _by_type(then), _by_type(now)
    if rest.keys() != other.keys():
        return "InstanceTypeConfigs"
    for name, (config, configurations) in rest.items():
        for member, value in config.items():
            if not same(member, value, other[name][0].get(member, _DEFAULTS_OF_A_TYPE.get(member))):
                return "InstanceTypeConfigs"
        if configurations and _configurations(configurations) != _configurations(other[name][1]):
            return "InstanceTypeConfigs.Configurations"
    return ""


_DEFAULTS_OF_A_TYPE = {"WeightedCapacity": 1}


def _by_type(configs: Sequence[Json]) -> dict[str, tuple[Json, Sequence[Json]]]:
    return {
        config["InstanceType"]: (
            {key: value for key, value in config.items() if key != "Configurations"},
            config.get("Configurations", ()),
        )
        for config in configs
    }


def snake(name: str) -> str:
    """ReleaseLabel -> release_label: the spec's name of a member."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
