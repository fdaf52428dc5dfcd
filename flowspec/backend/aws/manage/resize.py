"""Sets the sizes of instance groups and fleets on a living cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.observe import describe, read_back
from flowspec.backend.aws.submission.change import wait_until_ready
from flowspec.backend.aws.submission.lock import locked
from flowspec.document.nearest import did_you_mean
from flowspec.errors import FlowspecError, NothingFound, number_of
from flowspec.facts.states import OPEN, READY
from flowspec.plan.changes import ApiCall
from flowspec.plan.cluster import Live

_TARGETS = {"on-demand": "TargetOnDemandCapacity", "spot": "TargetSpotCapacity"}
_PROVISIONED = {
    "InstanceCount": "RunningInstanceCount",
    "TargetOnDemandCapacity": "ProvisionedOnDemandCapacity",
    "TargetSpotCapacity": "ProvisionedSpotCapacity",
}
# ModifyInstanceGroups, API reference: a group in these states makes no progress until it is modified again.
_STUCK = frozenset({"SUSPENDED", "ARRESTED"})
# Polls in which a group is RUNNING with another size than the requested one. Right after a change, EMR may not have
# begun; after so many polls, it has given up (a fleet's resize timeout) or keeps nodes for their HDFS blocks
# (Management Guide).
_LOOKS_UNCHANGED = 6
# The addresses of groups: a role, perhaps with a name or a purchasing option, or an id.
_ADDRESS = re.compile(r"(?P<role>MASTER|CORE|TASK|i[gf]-[0-9A-Z]+)(?::(?P<detail>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Resize:
    """The size of one group, or one of the two targets of a fleet (`member`), before and after.

    `running` is how many instances, or units of a fleet, it was last seen with, and `reached` whether that is the end;
    `id` is that of the group or fleet.
    """

    id: str
    address: str
    member: str
    before: int
    after: int
    running: int = 0
    reached: bool = False


def resize(
    emr: Emr,
    cluster_id: str,
    sizes: Mapping[str, int],
    *,
    lock_timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Resize, ...]:
    """Asks EMR for other sizes, all in one change under the cluster's lock; `wait_for_sizes` waits for them.

    `sizes` are numbers of instances by address: "CORE", "TASK" (where there is one task group, or one with instances),
    "TASK:name", a group's id; of a fleet "CORE:on-demand" and "CORE:spot", or "CORE" where it has only one of the two.
    Raises NothingFound when an address matches no group or several; FlowspecError when a scaler controls the size, and
    when the size is not possible (of a master, or an empty core group); Locked when another process changes the
    cluster.
    """
    for address, count in sizes.items():
        _refuse_impossible(address, count)
    state = wait_until_ready(emr, cluster_id, notify, sleep)
    if state not in READY:
        message = f"cluster {cluster_id} is {state}: it can't be resized"
        raise FlowspecError(message, remedy="set the sizes in the spec: flowspec apply SPEC starts a cluster with them")
    with locked(emr, cluster_id, timeout=lock_timeout, notify=notify, sleep=sleep):
        live = read_back(emr, cluster_id, steps=False).live
        assert live is not None
        found = [_plan_resize(emr, cluster_id, live, address, count) for address, count in sizes.items()]
        if len({(one.id, one.member) for one in found}) < len(found):
            raise FlowspecError("two sizes are given for one group or fleet")
        for call in _modify_calls(cluster_id, [one for one in found if one.before != one.after]):
            emr.call(call.operation, **call.params)
            notify(call.operation)
    return tuple(found)


def _refuse_impossible(address: str, count: int) -> None:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        _, colon, detail = address.partition(":")
        hint = did_you_mean(address, [f"{role}{colon}{detail}" for role in ("CORE", "TASK")])
        raise NothingFound(
            f"{address!r} names no instance group or fleet",
            remedy=hint or "write CORE, TASK, TASK:name, CORE:on-demand, CORE:spot, or a group's id",
        )
    _refuse_master(match["role"])
    if count < 0:
        raise FlowspecError(f"{address}={count}: a size is 0 or more")


def _refuse_master(role: str) -> None:
    if role == "MASTER":
        raise FlowspecError("EMR never changes the number of masters", remedy="start a new cluster with 1 or 3 masters")


def _plan_resize(emr: Emr, cluster_id: str, live: Live, address: str, count: int) -> Resize:
    """Returns the change for one address; raises FlowspecError when it is not allowed."""
    match = _ADDRESS.fullmatch(address)
    assert match is not None
    instances = live.params["Instances"]
    fleets = "InstanceFleets" in instances
    groups: Sequence[Mapping[str, Any]] = instances["InstanceFleets" if fleets else "InstanceGroups"]
    role, detail = match["role"], match["detail"]
    known = list(zip(groups, live.ids, strict=True))
    found = [(one, id_) for one, id_ in known if role in (id_, _role(one))]
    if detail and not fleets:
        found = [(one, id_) for one, id_ in found if one.get("Name") == detail]
    # EMR lists a removed task group for ever, without instances.
    if len(filled := [pair for pair in found if pair[0].get("InstanceCount")]) == 1:
        found = filled
    if len(found) != 1:
        raise NothingFound(
            f"{address} means {len(found) or 'no'} instance groups or fleets of cluster {cluster_id}",
            remedy="there are: " + ", ".join(_address(one, id_) for one, id_ in known),
        )
    group, group_id = found[0]
    member = _target(group, address, detail) if fleets else "InstanceCount"
    _refuse_master(_role(group))
    if _role(group) == "CORE" and not count and not fleets:
        raise FlowspecError(
            "a core group has at least one instance (ModifyInstanceGroups: 'Instance count must be greater than 0.')",
            remedy=f"`{command_line('destroy', emr, cluster_id)}` ends the cluster",
        )
    _refuse_scaled(live.params, group, group_id)
    return Resize(group_id, _address(group, group_id), member, group.get(member, 0), count)


def _role(group: Mapping[str, Any]) -> str:
    return str(group.get("InstanceRole") or group.get("InstanceFleetType"))


def _address(group: Mapping[str, Any], group_id: str) -> str:
    name = f":{group['Name']}" if _role(group) == "TASK" and group.get("Name") and "InstanceRole" in group else ""
    return f"{_role(group)}{name} ({group_id})"


def _target(fleet: Mapping[str, Any], address: str, detail: str | None) -> str:
    if detail:
        if detail not in _TARGETS:
            raise NothingFound(f"{address}: a fleet has the targets on-demand and spot", remedy="write CORE:spot=N")
        return _TARGETS[detail]
    used = [member for member in _TARGETS.values() if fleet.get(member)]
    if len(used) != 1:
        raise NothingFound(
            f"{address} is a fleet with {'both targets' if used else 'neither target'} set: which one is meant?",
            remedy=f"write {address}:on-demand=N and {address}:spot=N",
        )
    return used[0]


def _refuse_scaled(params: Mapping[str, Any], group: Mapping[str, Any], group_id: str) -> None:
    """Raises FlowspecError when a scaling policy controls the size: EMR would change it back."""
    limits = params.get("ManagedScalingPolicy", {}).get("ComputeLimits")
    bounds = group.get("AutoScalingPolicy", {}).get("Constraints")
    if limits:
        least, most = limits.get("MinimumCapacityUnits"), limits.get("MaximumCapacityUnits")
        owner, member = f"managed scaling ({least} to {most} {limits.get('UnitType')})", "managed_scaling_policy"
    elif bounds:
        owner = f"its automatic scaling policy ({bounds.get('MinCapacity')} to {bounds.get('MaxCapacity')} instances)"
        member = "auto_scaling_policy"
    else:
        return
    raise FlowspecError(
        f"the size of {_address(group, group_id)} is controlled by {owner}",
        remedy=f"change the limits of the {member} in the spec and apply it",
    )


def _modify_calls(cluster_id: str, changes: Sequence[Resize]) -> Iterator[ApiCall]:
    groups = [{"InstanceGroupId": one.id, one.member: one.after} for one in changes if one.member == "InstanceCount"]
    if groups:
        yield ApiCall("ModifyInstanceGroups", {"ClusterId": cluster_id, "InstanceGroups": groups})
    fleets: dict[str, dict[str, Any]] = {}
    for one in changes:
        if one.member != "InstanceCount":
            fleets.setdefault(one.id, {"InstanceFleetId": one.id})[one.member] = one.after
    for fleet in fleets.values():
        yield ApiCall("ModifyInstanceFleet", {"ClusterId": cluster_id, "InstanceFleet": fleet})


# -- waiting


def wait_for_sizes(
    emr: Emr,
    cluster_id: str,
    resizes: Sequence[Resize],
    *,
    timeout: float | None = None,
    notify: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Resize, ...]:
    """Waits until each group and fleet has the size that was asked for; returns them with what is running.

    After `timeout` seconds, it returns the sizes of that moment. Raises FlowspecError when the cluster ends meanwhile,
    and when EMR gives up or stops at another size.
    """
    start, seen, same = clock(), "", 0
    for interval in emr.backend.poll_intervals():
        looks = [
            _size_and_state(raw, one) for one, raw in zip(resizes, _list_resized(emr, cluster_id, resizes), strict=True)
        ]
        now = tuple(one for one, _ in looks)
        same = same + 1 if all(state == "RUNNING" for _, state in looks) else 0
        if all(state == "RUNNING" and one.running == one.after for one, state in looks):
            return tuple(replace(one, reached=True) for one in now)
        text = ", ".join(f"{one.address}: {one.running} of {one.after}" for one in now)
        if text != seen:
            notify(text)
        seen = text
        _refuse_stuck(emr, cluster_id, looks)
        if same >= _LOOKS_UNCHANGED:
            return _require_reached_sizes(now)
        if timeout is not None and clock() - start >= timeout:
            return now
        sleep(interval)
    raise AssertionError("poll_intervals has no end")


def _list_resized(emr: Emr, cluster_id: str, resizes: Sequence[Resize]) -> list[dict[str, Any]]:
    fleets = any(one.member != "InstanceCount" for one in resizes)
    kind = "InstanceFleets" if fleets else "InstanceGroups"
    by_id = {one["Id"]: one for one in emr.pages(f"List{kind}", kind, ClusterId=cluster_id)}
    return [by_id[one.id] for one in resizes]


def _size_and_state(raw: Mapping[str, Any], one: Resize) -> tuple[Resize, str]:
    return replace(one, running=raw.get(_PROVISIONED[one.member], 0)), str(raw.get("Status", {}).get("State", ""))


def _refuse_stuck(emr: Emr, cluster_id: str, looks: Sequence[tuple[Resize, str]]) -> None:
    state = describe(emr, cluster_id, steps=False).state
    if state not in OPEN:
        raise FlowspecError(f"cluster {cluster_id} is {state}: it ended before it had the requested sizes")
    for one, group_state in looks:
        if group_state in _STUCK:
            raise FlowspecError(
                f"{one.address} is {group_state} with {one.running} of {number_of(one.after, 'instance')}: "
                "EMR could not start the others",
                remedy="resize it again: to the same size to let EMR try again, or to the size that it has",
            )


def _require_reached_sizes(now: tuple[Resize, ...]) -> tuple[Resize, ...]:
    """Returns the sizes at which EMR has stopped.

    Raises FlowspecError if a fleet has less capacity than requested, or a group another size.
    """
    for one in now:
        # A fleet grows by the weights of its types, so it may have somewhat more units than requested.
        enough = one.running >= one.after and (one.member != "InstanceCount" or one.running == one.after)
        if not enough:
            raise FlowspecError(
                f"{one.address} has {one.running} instead of {one.after}, and EMR has stopped resizing it",
                remedy="see the cluster's events; a core group keeps what its HDFS blocks need (dfs.replication)",
            )
    return tuple(replace(one, reached=True) for one in now)
