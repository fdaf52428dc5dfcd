"""Compares the wanted request with the request that corresponds to a running cluster, member by member.

Only members that the request contains are compared. A member that it no longer contains, but that an earlier apply set
(`managed`), is also a difference: it must be removed from the cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from flowspec.facts.api_model import JsonView
from flowspec.facts.mutability import Handling, Row, row_of
from flowspec.facts.releases import default_root_volume
from flowspec.facts.rules.common import Params, has_three_masters, machines
from flowspec.facts.rules.releases import reconfigures
from flowspec.plan.cluster import TAG_PREFIX, Live
from flowspec.plan.comparison.differences import Difference, Kind, snake, token
from flowspec.plan.comparison.fleets import compare_fleets
from flowspec.plan.comparison.forms import removes, same
from flowspec.plan.comparison.groups import REMOVABLE, compare_groups, written_as
from flowspec.request.instances import expand_shorthand, group_address

_COMPARED = frozenset({Handling.IN_PLACE, Handling.REPLACE})
_POLICIES = ("ManagedScalingPolicy", "AutoTerminationPolicy")
ELSEWHERE = frozenset({"Instances", "Tags", "Steps"})
_MACHINES = ("InstanceGroups", "InstanceFleets")


class Comparison(NamedTuple):
    """All differences, and `notes`: a sentence for each difference that is ignored on purpose."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def compare_fields(wanted: JsonView, live: Live, managed: Collection[str]) -> Comparison:
    """Compares a RunJobFlow request with a live cluster; steps are compared elsewhere.

    `managed` holds the tokens (see `token`) of the members that the last apply set.
    """
    request = expand_shorthand(wanted)
    notes: list[str] = []
    found = [
        *_compare_members(request, live, managed),
        *_compare_instances(request.get("Instances", {}), live.params.get("Instances", {}), notes),
        *_compare_tags(request, live.params, managed),
        *_compare_machines(request, live, managed, notes),
    ]
    possible = (_as_replacement(one) if _reconfigures_in_vain(one, live) else one for one in found)
    located = (one._replace(path=written_as(wanted, one.path)) for one in possible)
    return Comparison(tuple(located), tuple(notes))


def _reconfigures_in_vain(difference: Difference, live: Live) -> bool:
    """Returns True for other configurations of a group or fleet, which the cluster's release does not change."""
    if not difference.row.member.endswith(".Configurations"):
        return False
    after: Sequence[JsonView] = difference.after or ()
    if "InstanceTypeConfigs" in difference.row.member:
        after = [one for kind in after for one in kind.get("Configurations", ())]
    return not reconfigures(live.params, after)


def _as_replacement(difference: Difference) -> Difference:
    """Returns a difference as one that needs a new cluster."""
    return difference._replace(row=difference.row._replace(handling=Handling.REPLACE))


def stated(wanted: JsonView) -> Iterator[str]:
    """Yields the addresses of members that can be removed from a cluster: tags, policies, configurations of groups."""
    yield from (f"tags.{tag['Key']}" for tag in wanted.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX))
    yield from (snake(name) for name in _POLICIES if name in wanted)
    for group in wanted.get("Instances", {}).get("InstanceGroups", ()):
        yield from (f"{group_address(group)}.{snake(name)}" for name in REMOVABLE if group.get(name))


def _compare_members(wanted: JsonView, live: Live, managed: Collection[str]) -> Iterator[Difference]:
    """Yields the differences of the cluster's own members."""
    unshown = _unshown_root_volume(Params(live.params))
    for name, value in wanted.items():
        row = row_of(name)
        if name in ELSEWHERE or name in live.unread or row.handling not in _COMPARED:
            continue
        now = live.params.get(name, unshown.get(name))
        # Of KerberosAttributes, EMR returns only the realm, never the passwords.
        readable = {"Realm": value.get("Realm")} if name == "KerberosAttributes" else value
        if not same(name, readable, now):
            # It is not known what EMR does with an empty policy, so the operation that removes the policy is used.
            gone = bool(row.undo) and removes(name, value)
            after, kind = (None, Kind.REMOVE) if gone else (value, Kind.SET)
            yield Difference((name,), snake(name), now, after, row, kind)
    for name in _POLICIES:
        if name not in wanted and live.params.get(name) and token(snake(name)) in managed:
            yield Difference((), snake(name), live.params[name], None, row_of(name), Kind.REMOVE)


def _unshown_root_volume(live: Params) -> JsonView:
    """Returns the members of the root volume that a cluster has by default: EMR shows those that were asked for."""
    if live.get("CustomAmiId") or any(one.get("CustomAmiId") for _, one in machines(live)):
        return {}
    return default_root_volume(live.get("ReleaseLabel"))


_FORCED_ON = ("KeepJobFlowAliveWhenNoSteps", "TerminationProtected")


def _compare_instances(wanted: JsonView, live: JsonView, notes: list[str]) -> Iterator[Difference]:
    forced = _FORCED_ON if has_three_masters(Params({"Instances": wanted})) else ()
    for name, value in wanted.items():
        row = row_of(f"Instances.{name}")
        if name in _MACHINES or row.handling not in _COMPARED:
            continue
        if name in forced and value is False and live.get(name):
            notes.append(
                f"{snake(name)} is true: EMR sets it for a cluster with three masters, whatever the request says"
            )
            continue
        read, now = _read_back(name, live)
        if not same(read, _as_list(name, value), now):
            yield Difference(("Instances", name), snake(name), now, value, row)


def _read_back(name: str, live: JsonView) -> tuple[str, Any]:
    """Returns the name and value as which a member of Instances is read back: one subnet or zone as a list."""
    if name == "Ec2SubnetId":
        return "Ec2SubnetIds", live.get("Ec2SubnetIds")
    if name == "Placement":
        return "AvailabilityZones", live.get("Placement", {}).get("AvailabilityZones")
    return name, live.get(name)


def _as_list(name: str, value: Any) -> Any:
    if name == "Ec2SubnetId":
        return [value] if value else []
    if name == "Placement":
        return value.get("AvailabilityZones") or [zone for zone in (value.get("AvailabilityZone"),) if zone]
    return value


def _compare_tags(wanted: JsonView, live: JsonView, managed: Collection[str]) -> Iterator[Difference]:
    """Yields the differences of tags.

    Tags that someone else added to the cluster are kept: only tags that an apply set are removed.
    """
    now = {tag["Key"]: tag["Value"] for tag in live.get("Tags", ())}
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


def _compare_machines(wanted: JsonView, live: Live, managed: Collection[str], notes: list[str]) -> Iterator[Difference]:
    """Yields the differences of instance groups or fleets; a cluster has one of the two for its life."""
    then, now = wanted.get("Instances", {}), live.params.get("Instances", {})
    for name, other in (_MACHINES, _MACHINES[::-1]):
        if then.get(name) and now.get(other):
            row = Row(f"Instances.{name}", Handling.REPLACE, "API: fixed at launch")
            yield Difference(("Instances", name), snake(name), snake(other).replace("_", " "), then[name], row)
    if then.get("InstanceGroups") and now.get("InstanceGroups"):
        yield from compare_groups(wanted, live, managed, notes)
    if then.get("InstanceFleets") and now.get("InstanceFleets"):
        yield from compare_fleets(wanted, live, managed, notes)
