"""Compares the instance groups of a request with those of a living cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from flowspec.errors import number_of
from flowspec.facts.api_model import JsonView, KeyPath
from flowspec.facts.mutability import row_of
from flowspec.plan.cluster import Live
from flowspec.plan.comparison.differences import Difference, Kind, snake, token
from flowspec.plan.comparison.forms import removes, same
from flowspec.request.instances import group_address, market_of

REMOVABLE = ("AutoScalingPolicy", "Configurations")
_COMPARED = ("InstanceType", "Market", "BidPrice", "EbsConfiguration", "CustomAmiId")
_MEMBER = "Instances.InstanceGroups"


def written_as(wanted: JsonView, path: KeyPath) -> KeyPath:
    """Returns the path of a member as the request writes it: of a group's type or count, that of the shorthand."""
    instances = wanted.get("Instances", {})
    if "MasterInstanceType" not in instances or path[:2] != ("Instances", "InstanceGroups"):
        return path
    core = path[2] == 1
    name = "InstanceCount" if path[3:] != ("InstanceType",) else "SlaveInstanceType" if core else "MasterInstanceType"
    return ("Instances", name) if name in instances else ("Instances",)


def compare_groups(wanted: JsonView, live: Live, managed: Collection[str], notes: list[str]) -> Iterator[Difference]:
    """Yields the differences between the groups of a request and those of a cluster that has groups.

    A size that a scaler changes is ignored; `notes` gets a sentence on each.
    """
    then: Sequence[JsonView] = wanted["Instances"]["InstanceGroups"]
    now: Sequence[JsonView] = live.params["Instances"]["InstanceGroups"]
    sized = sized_by_policy(wanted, live, managed)
    matched = match_groups(then, now)
    for index, group in enumerate(then):
        at: KeyPath = ("Instances", "InstanceGroups", index)
        found = matched.get(index)
        if found is None:
            row = row_of(f"{_MEMBER}[]", group["InstanceRole"])
            yield Difference(at, group_address(group), None, group, row, Kind.ADD)
        else:
            yield from _compare_members(group, now[found], live.ids[found], at, managed)
            yield from _compare_size(group, now[found], live.ids[found], at, notes, sized=sized)
    for index in sorted(set(range(len(now))) - set(matched.values())):
        yield from _remove_group(now[index], live.ids[index])


def _remove_group(now: JsonView, group_id: str) -> Iterator[Difference]:
    """Yields what empties a group: EMR deletes none, and lists a removed group for ever, without instances."""
    name, role, address = "AutoScalingPolicy", now.get("InstanceRole", ""), group_address(now)
    if now.get(name):
        # The policy would set the group to its minimum again, also one that has no instances yet.
        row = row_of(f"{_MEMBER}[].{name}", role)
        yield Difference((), f"{address}: {snake(name)}", now[name], None, row, Kind.REMOVE, group_id)
    if now.get("InstanceCount"):
        yield Difference((), address, now["InstanceCount"], 0, row_of(f"{_MEMBER}[]", role), Kind.REMOVE, group_id)


def sized_by_policy(wanted: JsonView, live: Live, managed: Collection[str]) -> bool:
    """Returns True if managed scaling changes the sizes: EMR does so from when it is set until it is removed."""
    name = "ManagedScalingPolicy"
    if name in live.unread:
        return bool(wanted.get(name))
    removed = removes(name, wanted[name]) if name in wanted else token(snake(name)) in managed
    return bool(live.params.get(name)) and not removed


def match_groups(then: Sequence[JsonView], now: Sequence[JsonView]) -> dict[int, int]:
    """Pairs wanted groups with live ones (by index): master and core by their role, task groups by name and kind.

    A task group of the same name but of another type, market or volumes is another group: EMR can't change one into the
    other. Groups that match completely are paired first, so that two groups that differ only in policies or sizes are
    not exchanged. Groups with the most members choose first, because a group without volumes would fit any other. Among
    equal groups, one with instances comes first.
    """
    free = list(range(len(now)))
    matched: dict[int, int] = {}

    def match(index: int, fits: Callable[[JsonView], bool]) -> None:
        fitting = [one for one in free if fits(now[one])]
        if fitting:
            best = max(fitting, key=lambda one: (now[one].get("InstanceCount", 0) > 0, -one))
            free.remove(best)
            matched[index] = best

    for index, group in enumerate(then):
        if group["InstanceRole"] != "TASK":
            match(index, lambda other, role=group["InstanceRole"]: other.get("InstanceRole") == role)  # type: ignore[misc]
    by_detail = sorted(enumerate(then), key=lambda pair: -_count_stated_members(pair[1]))
    for tests in _MATCH_TESTS:
        for index, group in by_detail:
            if index not in matched and group["InstanceRole"] == "TASK":
                match(index, partial(_passes_tests, tests, group))
    return matched


def _count_stated_members(group: JsonView) -> int:
    """Returns the number of members that a group contains; each of its volumes counts."""
    volumes = group.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", ())
    return sum(bool(group.get(name)) for name in _COMPARED) + sum(len(one["VolumeSpecification"]) for one in volumes)


def _same_kind(group: JsonView, other: JsonView) -> bool:
    return other.get("InstanceRole") == "TASK" and all(
        same(name, _wanted_value(group, name), other.get(name)) for name in _COMPARED
    )


def _same_name(group: JsonView, other: JsonView) -> bool:
    return (group.get("Name") or None) == other.get("Name")


def _unnamed(group: JsonView, _: JsonView) -> bool:
    """Returns True for a group whose name is left open: the service may have given it a name."""
    return not group.get("Name")


def _same_policies(group: JsonView, other: JsonView) -> bool:
    return all(same(name, group.get(name), other.get(name)) for name in REMOVABLE)


def _same_size(group: JsonView, other: JsonView) -> bool:
    return bool(group["InstanceCount"] == other.get("InstanceCount", 0))


def _passes_tests(tests: Sequence[Callable[[JsonView, JsonView], bool]], group: JsonView, other: JsonView) -> bool:
    return _same_kind(group, other) and all(test(group, other) for test in tests)


# From the strictest to the loosest comparison.
_MATCH_TESTS = tuple(
    (name, *more)
    for name in (_same_name, _unnamed)
    for more in ((_same_policies, _same_size), (_same_policies,), (_same_size,), ())
)


def _wanted_value(group: JsonView, name: str) -> Any:
    return market_of(group) if name == "Market" else group.get(name)


def _member_difference(
    group: JsonView, now: JsonView, name: str, group_id: str, at: KeyPath, *, kind: Kind = Kind.SET
) -> Difference:
    row = row_of(f"{_MEMBER}[].{name}", group["InstanceRole"])
    label = snake(name).removeprefix("instance_")
    path = (*at, name) if name in group else at
    after = None if kind is Kind.REMOVE else group.get(name)
    return Difference(path, f"{group_address(group)}: {label}", now.get(name), after, row, kind, group_id)


def _compare_members(
    group: JsonView, now: JsonView, group_id: str, at: KeyPath, managed: Collection[str]
) -> Iterator[Difference]:
    for name in ("Name", *_COMPARED):
        if not same(name, _wanted_value(group, name), now.get(name)):
            yield _member_difference(group, now, name, group_id, at)
    # A group whose name the spec leaves open may have taken one that had a name.
    addresses = {group_address(group), group_address(now)}
    filled_again = group["InstanceCount"] and not now.get("InstanceCount")
    for name in REMOVABLE:
        if group.get(name):
            if not same(name, group[name], now.get(name)):
                yield _member_difference(group, now, name, group_id, at)
        elif now.get(name) and (
            # An empty list is stated, too: ModifyInstanceGroups takes all configurations off for it (guide).
            name in group
            or any(token(f"{address}.{snake(name)}") in managed for address in addresses)
            # EMR keeps those of a group that was emptied; the tokens of what it stated are gone.
            or (name == "Configurations" and filled_again)
        ):
            yield _member_difference(group, now, name, group_id, at, kind=Kind.REMOVE)


def _compare_size(
    group: JsonView, now: JsonView, group_id: str, at: KeyPath, notes: list[str], *, sized: bool
) -> Iterator[Difference]:
    count, running = group["InstanceCount"], now.get("InstanceCount", 0)
    if count == running:
        return
    own_policy = now.get("AutoScalingPolicy") and group.get("AutoScalingPolicy")
    if group["InstanceRole"] != "MASTER" and (sized or own_policy):
        owner = "managed scaling" if sized else "its automatic scaling policy"
        has = f"{group_address(group)} has {number_of(running, 'instance')}"
        notes.append(f"{has} where the spec says {count}: {owner} changes it")
    else:
        yield _member_difference(group, now, "InstanceCount", group_id, at)
