"""Compares the instance fleets of a request with those of a living cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from flowspec.facts.api_model import TARGETS, JsonView, KeyPath
from flowspec.facts.mutability import row_of
from flowspec.plan.cluster import Live
from flowspec.plan.comparison.differences import Difference, Kind, snake
from flowspec.plan.comparison.forms import configurations, same
from flowspec.plan.comparison.groups import sized_by_policy

_MEMBER = "Instances.InstanceFleets"
_COMPARED = ("Name", "LaunchSpecifications", "ResizeSpecifications", "Context")


def compare_fleets(wanted: JsonView, live: Live, managed: Collection[str], notes: list[str]) -> Iterator[Difference]:
    """Yields the differences between the fleets of a request and those of a cluster that has fleets: one for each role.

    Targets that managed scaling changes, and configurations that EMR does not remove, are ignored; `notes` gets a
    sentence on each.
    """
    now: Sequence[JsonView] = live.params["Instances"]["InstanceFleets"]
    sized = sized_by_policy(wanted, live, managed)
    by_role = {fleet.get("InstanceFleetType"): index for index, fleet in enumerate(now)}
    for index, fleet in enumerate(wanted["Instances"]["InstanceFleets"]):
        role, at = fleet["InstanceFleetType"], ("Instances", "InstanceFleets", index)
        found = by_role.pop(role, None)
        if found is None:
            yield Difference(at, f"instance fleet {role}", None, fleet, row_of(f"{_MEMBER}[]", role), Kind.ADD)
        else:
            yield from _compare_members(fleet, now[found], live.ids[found], at)
            notes += _kept_configurations_notes(fleet, now[found])
            yield from _compare_targets(fleet, now[found], live.ids[found], at, notes, sized=sized)
    for role, index in by_role.items():
        if any(now[index].get(name) for name in TARGETS):
            row, before = row_of(f"{_MEMBER}[]", str(role)), {name: now[index].get(name, 0) for name in TARGETS}
            yield Difference((), f"instance fleet {role}", before, 0, row, Kind.REMOVE, live.ids[index])


def _member_difference(
    fleet: JsonView, now: JsonView, name: str, fleet_id: str, at: KeyPath, *, member: str = ""
) -> Difference:
    role = fleet["InstanceFleetType"]
    row = row_of(f"{_MEMBER}[].{member or name}", role)
    path = (*at, name) if name in fleet else at
    address = f"instance fleet {role}: {snake(name)}"
    return Difference(path, address, now.get(name), fleet.get(name), row, Kind.SET, fleet_id)


def _compare_members(fleet: JsonView, now: JsonView, fleet_id: str, at: KeyPath) -> Iterator[Difference]:
    for name in _COMPARED:
        if not same(name, fleet.get(name), now.get(name)):
            yield _member_difference(fleet, now, name, fleet_id, at)
    member = _differing_types_member(fleet.get("InstanceTypeConfigs", ()), now.get("InstanceTypeConfigs", ()))
    if member:
        yield _member_difference(fleet, now, "InstanceTypeConfigs", fleet_id, at, member=member)


def _compare_targets(
    fleet: JsonView, now: JsonView, fleet_id: str, at: KeyPath, notes: list[str], *, sized: bool
) -> Iterator[Difference]:
    role = fleet["InstanceFleetType"]
    for name in TARGETS:
        wanted, current = fleet.get(name, 0), now.get(name, 0)
        if wanted == current:
            continue
        if sized and role != "MASTER":
            what = f"instance fleet {role} has {snake(name)} {current} where the spec says {wanted}"
            notes.append(f"{what}: managed scaling changes it")
        else:
            yield _member_difference(fleet, now, name, fleet_id, at)


def _differing_types_member(then: Sequence[JsonView], now: Sequence[JsonView]) -> str:
    """Returns the member that differs: "" none, the types' Configurations only (in place), or the types themselves."""
    if not then:
        return ""
    mine, theirs = _by_type(then), _by_type(now)
    if mine.keys() != theirs.keys():
        return "InstanceTypeConfigs"
    for kind, config in mine.items():
        for name, value in config.items():
            if name != "Configurations" and not same(name, value, theirs[kind].get(name)):
                return "InstanceTypeConfigs"
    # See `_kept_configurations_notes` for a type without configurations.
    changed = any(
        config.get("Configurations")
        and configurations(config["Configurations"]) != configurations(theirs[kind].get("Configurations", ()))
        for kind, config in mine.items()
    )
    return "InstanceTypeConfigs.Configurations" if changed else ""


def _kept_configurations_notes(fleet: JsonView, now: JsonView) -> Iterator[str]:
    """Yields a sentence on each type whose configurations the spec does not have: no change takes them off (guide)."""
    theirs = _by_type(now.get("InstanceTypeConfigs", ()))
    for kind, config in _by_type(fleet.get("InstanceTypeConfigs", ())).items():
        if not config.get("Configurations") and theirs.get(kind, {}).get("Configurations"):
            what = (
                f"instance fleet {fleet['InstanceFleetType']} has configurations of {kind} that the spec does not have"
            )
            yield f"{what}: EMR changes them, but does not remove them"


def _by_type(configs: Sequence[JsonView]) -> dict[Any, JsonView]:
    return {config.get("InstanceType"): config for config in configs}
