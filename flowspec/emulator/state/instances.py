"""Simulates the instances of groups and fleets.

The times at which each instance was requested, becomes ready and leaves are stored; its state is computed from
them, the clock and the cluster's state. So a resize completes without any process, and can't get stuck.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flowspec.emulator.errors import validation
from flowspec.emulator.state import clock, ids
from flowspec.emulator.state.answers import Answer, status
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.state.volumes import block_devices
from flowspec.facts import states

LAUNCH_SECONDS = 10.0
"""Launch time of an instance of a running cluster (on EMR minutes): half PROVISIONING, half BOOTSTRAPPING."""

LEAVE_SECONDS = 5.0
"""Time to decommission an instance that a resize removes (on EMR up to an hour)."""

RECONFIGURE_SECONDS = 10.0
"""Duration of a reconfiguration (on EMR minutes)."""

# More than any change takes: a reconfiguration waits for a launch.
_LONGEST_SECONDS = 2 * (LAUNCH_SECONDS + RECONFIGURE_SECONDS)

MASTER_NUMBER = 0
"""The number of the master node in its group or fleet."""

TARGETS = {"ON_DEMAND": "TargetOnDemandCapacity", "SPOT": "TargetSpotCapacity"}
"""The member of a fleet's request with its target capacity, by market."""

CLUSTER_GONE = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}
_RECLAIMED = {"Code": "INSTANCE_FAILURE", "Message": "Server.SpotInstanceTermination: Spot instance termination"}

Instance = dict[str, Any]


class Moment(NamedTuple):
    """A cluster at a point in time: `now` is in seconds since 1970 and at most the cluster's end."""

    cluster: Record
    now: float

    def after(self, seconds: float) -> float:
        """Returns the time at which something that takes `seconds` on EMR is done."""
        return self.now + clock.span(seconds, self.cluster.doc["time_scale"])

    def after_if_serving(self, seconds: float) -> float | None:
        """Returns what `after` does; None in a cluster that is not ready yet, with which it will be done."""
        return self.after(seconds) if self.serving else None

    @property
    def serving(self) -> bool:
        """True if the cluster is RUNNING or WAITING, so that instances are launched and removed."""
        return self.cluster.state in states.READY

    def is_over(self, end: float) -> bool:
        """Returns whether a change that was to be done at `end` (seconds since 1970) is done.

        It is, too, if `end` is further off than any change takes: then the machine's date was set back since it began,
        and it would last until that date comes again.
        """
        return not self.now < end <= self.after(_LONGEST_SECONDS)

    def ready(self, thing: Mapping[str, Any]) -> float | None:
        """Returns the time at which `thing` became ready (its own, else the cluster's); None if it is not ready yet."""
        own: float | None = thing["ready"]
        found: float | None = self.cluster.doc["ready"] if own is None else own
        return None if found is None or not self.is_over(found) else max(found, thing["created"])


def moment(cluster: Record, now: float) -> Moment:
    """Returns the cluster at `now`, or at its end if that was earlier."""
    ended: float | None = cluster.doc["ended"]
    return Moment(cluster, now if ended is None else min(ended, now))


def of_cluster(store: Store, cluster: Record) -> list[Record]:
    """Returns the cluster's groups or fleets."""
    return store.find("group", cluster_id=cluster.id) or store.find("fleet", cluster_id=cluster.id)


def role(group: Record) -> str:
    """Returns the role of a group or fleet: MASTER, CORE or TASK."""
    request = group.doc["request"]
    return str(request.get("InstanceRole") or request["InstanceFleetType"])


def master(store: Store, cluster: Record) -> Record:
    """Returns the group or fleet of the master node."""
    return next(group for group in of_cluster(store, cluster) if role(group) == "MASTER")


# -- states


def remaining_instances(group: Record) -> list[Instance]:
    """Returns the instances that are running or launching and not being removed."""
    return [instance for instance in group.doc["instances"] if instance["ended"] is None]


def running(group: Record, at: Moment) -> list[Instance]:
    """Returns the RUNNING instances; none unless the cluster is RUNNING or WAITING."""
    return [instance for instance in group.doc["instances"] if at.serving and instance_state(instance, at) == "RUNNING"]


def settled_at(group: Record, at: Moment) -> float:
    """Returns the time at which the last pending launch or removal completes (seconds since 1970; 0 if none)."""
    last = (
        instance["ready"] if instance["ended"] is None else instance["ended"] for instance in group.doc["instances"]
    )
    return max((time for time in last if time is not None and not at.is_over(time)), default=0.0)


def instance_state(instance: Instance, at: Moment) -> str:
    """Returns an instance's state. Instances have no state TERMINATING: they are RUNNING until TERMINATED."""
    if _has_left(instance, at) or at.cluster.state in states.ENDED:
        return "TERMINATED"
    if instance["ready"] is not None and not at.is_over(instance["ready"]):
        halfway = (instance["created"] + instance["ready"]) / 2
        return "PROVISIONING" if at.now < halfway else "BOOTSTRAPPING"
    of_all = states.OF_CLUSTER[at.cluster.state]
    return "RUNNING" if of_all == "TERMINATING" else of_all


def _has_left(instance: Instance, at: Moment) -> bool:
    return instance["ended"] is not None and at.is_over(instance["ended"])


def answer(group: Record, instance: Instance, at: Moment) -> Answer:
    """Returns an instance as in ListInstances."""
    number = instance["number"]
    private_name, public_name = dns_names(group, number, at.cluster)
    public_ip = {"PublicIpAddress": ids.public_address(group.id, number)} if public_name else {}
    owner = "InstanceGroupId" if group.kind == "group" else "InstanceFleetId"
    devices = block_devices(_request_of(group, instance["type"]), at.cluster)
    return {
        "Id": ids.instance_id(group.id, number),
        "Ec2InstanceId": ids.ec2_instance_id(group.id, number),
        "PublicDnsName": public_name,
        **public_ip,
        "PrivateDnsName": private_name,
        "PrivateIpAddress": ids.private_address(group.id, number),
        "Status": _status(instance, at),
        owner: group.id,
        "Market": instance["market"],
        "InstanceType": instance["type"],
        "EbsVolumes": [
            {"Device": device["Device"], "VolumeId": ids.volume_id(group.id, number, device["Device"])}
            for device in devices
        ],
    }


def dns_names(group: Record, number: int, cluster: Record) -> tuple[str, str]:
    """Returns the private and the public DNS name of an instance; the latter is "" in a subnet.

    Without a subnet EMR uses a default one, whose instances have public addresses; one that is named is taken
    to be private.
    """
    wanted = cluster.doc["request"]["Instances"]
    private = ids.private_dns_name(ids.private_address(group.id, number), cluster.region)
    if wanted.get("Ec2SubnetId") or wanted.get("Ec2SubnetIds"):
        return private, ""
    return private, ids.public_dns_name(ids.public_address(group.id, number), cluster.region)


def _request_of(group: Record, kind: str) -> Mapping[str, Any]:
    request: Mapping[str, Any] = group.doc["request"]
    if group.kind == "group":
        return request
    configs: Sequence[Mapping[str, Any]] = request.get("InstanceTypeConfigs", ())
    return next((config for config in configs if config["InstanceType"] == kind), {"InstanceType": kind})


def _status(instance: Instance, at: Moment) -> Answer:
    left = _has_left(instance, at)
    gone_with_cluster = at.cluster.state in states.ENDED and not left
    ready = at.ready(instance)
    return status(
        instance_state(instance, at),
        instance["reason"] if left else CLUSTER_GONE if gone_with_cluster else {},
        CreationDateTime=instance["created"],
        ReadyDateTime=None if left and ready is not None and ready > instance["ended"] else ready,
        EndDateTime=instance["ended"] if left else at.cluster.doc["ended"],
    )


# -- launches and removals


def resize(group: Record, count: int, at: Moment, policy: Mapping[str, Any] | None = None) -> None:
    """Resizes a group to `count` instances. `policy` is the InstanceResizePolicy of a shrink."""
    request, have = group.doc["request"], len(remaining_instances(group))
    if count > have:
        grow(group, request["InstanceType"], request["Market"], count - have, at)
    else:
        _decommission(_removal_order(group, at, policy or {})[: have - count], at)
    request["InstanceCount"] = count


def resize_fleet(fleet: Record, targets: Mapping[str, int], at: Moment) -> None:
    """Resizes a fleet to its targets, by market, in whole instances of its first type.

    No instance is removed if capacity would fall below the target (Management Guide, instance fleets).
    """
    request = fleet.doc["request"]
    kind: Mapping[str, Any] = next(iter(request.get("InstanceTypeConfigs", ())), {})
    for market, target in targets.items():
        missing = target - capacity(fleet, market, remaining_instances(fleet))
        if missing > 0:
            count = math.ceil(missing / (kind.get("WeightedCapacity") or 1))
            grow(fleet, kind.get("InstanceType", ""), market, count, at)
        else:
            _decommission(_removable_instances(fleet, market, -missing, at), at)
        request[TARGETS[market]] = target


def targets(fleet: Mapping[str, Any]) -> dict[str, int]:
    """Returns the target capacities of a fleet's request, by market."""
    return {market: fleet.get(name, 0) for market, name in TARGETS.items()}


def capacity(fleet: Record, market: str, among: Iterable[Instance]) -> int:
    """Sums the weighted capacity of those instances `among` a fleet's that belong to a market."""
    weights = _weights(fleet)
    return sum(weights.get(instance["type"], 1) for instance in among if instance["market"] == market)


def _weights(fleet: Record) -> dict[str, int]:
    configs = fleet.doc["request"].get("InstanceTypeConfigs", ())
    return {config["InstanceType"]: config.get("WeightedCapacity") or 1 for config in configs}


def _removable_instances(fleet: Record, market: str, excess: int, at: Moment) -> list[Instance]:
    weights, spare = _weights(fleet), []
    for instance in _removal_order(fleet, at, {}):
        weight = weights.get(instance["type"], 1)
        if instance["market"] == market and weight <= excess:
            excess -= weight
            spare.append(instance)
    return spare


def grow(group: Record, kind: str, market: str, count: int, at: Moment) -> None:
    """Adds instances. In a cluster that is not ready yet they become ready with it."""
    # If a shrink is reverted, keep instances that are still being decommissioned.
    for instance in _instances_being_removed(group, kind, market, at)[:count]:
        instance["ended"] = None
        count -= 1
    first = len(group.doc["instances"])
    ready = at.after_if_serving(LAUNCH_SECONDS)
    group.doc["instances"] += [
        {
            "number": number,
            "type": kind,
            "market": market,
            "created": at.now,
            "ready": ready,
            "ended": None,
            "reason": {},
        }
        for number in range(first, first + count)
    ]


def _instances_being_removed(group: Record, kind: str, market: str, at: Moment) -> list[Instance]:
    return [
        instance
        for instance in group.doc["instances"]
        if instance["ended"] is not None
        and not _has_left(instance, at)
        and (instance["type"], instance["market"]) == (kind, market)
    ]


def _removal_order(group: Record, at: Moment, policy: Mapping[str, Any]) -> list[Instance]:
    """Sorts instances for removal: those named in the policy, not protected, not ready, and the newest first."""
    named = set(policy.get("InstancesToTerminate", ()))
    protected = set(policy.get("InstancesToProtect", ()))

    def order(instance: Instance) -> tuple[bool, bool, bool, int]:
        ec2_id = ids.ec2_instance_id(group.id, instance["number"])
        ready = instance_state(instance, at) == "RUNNING"
        return ec2_id not in named, ec2_id in protected, ready, -instance["number"]

    return sorted(remaining_instances(group), key=order)


def _decommission(instances: Iterable[Instance], at: Moment) -> None:
    for instance in instances:
        # Nothing runs on an instance that is not ready, so it is removed at once.
        instance["ended"] = at.after(LEAVE_SECONDS) if instance_state(instance, at) == "RUNNING" else at.now


def remove(group: Record, ec2_id: str, at: Moment) -> None:
    """Removes an instance from a group at once, without replacement. Raises EmrError if it is not in the group."""
    _end_instance(_find_instance(group, ec2_id), {}, at)
    group.doc["request"]["InstanceCount"] -= 1


def _find_instance(group: Record, ec2_id: str) -> Instance:
    for instance in remaining_instances(group):
        if ids.ec2_instance_id(group.id, instance["number"]) == ec2_id:
            return instance
    raise validation(f"Instance '{ec2_id}' is not in instance group '{group.id}'.")


def _end_instance(instance: Instance, reason: Mapping[str, str], at: Moment) -> None:
    instance["ended"] = at.now
    instance["reason"] = dict(reason)


def lose_spot_instances(store: Store, cluster: Record, now: float) -> list[str]:
    """Terminates all spot instances except the master, or one core instance if there are none; each is replaced.

    Returns the EC2 ids of the terminated instances.
    """
    at = moment(cluster, now)
    workers = [group for group in of_cluster(store, cluster) if role(group) != "MASTER"]
    there = [(group, instance) for group in workers for instance in running(group, at)]
    spot = [(group, instance) for group, instance in there if instance["market"] == "SPOT"]
    core = [(group, instance) for group, instance in there if role(group) == "CORE"]
    lost = spot or core[:1]
    for group, instance in lost:
        _end_instance(instance, _RECLAIMED, at)
        grow(group, instance["type"], instance["market"], 1, at)
        store.save(group)
    return [ids.ec2_instance_id(group.id, instance["number"]) for group, instance in lost]


def fail_master(store: Store, cluster: Record, message: str, now: float) -> None:
    """Terminates the master instance, on which bootstrapping failed."""
    group = master(store, cluster)
    reason = {"Code": "BOOTSTRAP_FAILURE", "Message": message}
    _end_instance(group.doc["instances"][MASTER_NUMBER], reason, moment(cluster, now))
    store.save(group)
