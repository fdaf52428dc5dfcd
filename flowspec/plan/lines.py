"""The lines of a plan for created resources, added steps, and the losses of a replacement."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowspec.document.masking import MASK, mask
from flowspec.errors import number_of
from flowspec.plan.changes import Action, Assessment, Change
from flowspec.plan.cluster import Cluster
from flowspec.plan.comparison.groups import written_as
from flowspec.plan.steps import StepChanges
from flowspec.request.instances import expand_shorthand, lives_on

if TYPE_CHECKING:
    from flowspec.request.assets import Asset


def submission_lines(params: Mapping[str, Any], uploads: Sequence[Asset], assessment: Assessment) -> Iterator[Change]:
    """Yields a line for each resource that RunJobFlow would create."""
    yield from upload_lines(uploads)
    yield Change(Action.CREATE, f"cluster {params['Name']}", after=_cluster_line(params), path=("Name",))
    instances = expand_shorthand(params).get("Instances", {})
    for index, group in enumerate(instances.get("InstanceGroups", ())):
        at = written_as(params, ("Instances", "InstanceGroups", index, "InstanceType"))
        # A group is one line of the spec; in the short form, each type is one line.
        at = at if "MasterInstanceType" in params.get("Instances", {}) else at[:-1]
        yield Change(Action.CREATE, f"instance group {group['InstanceRole']}", after=group_line(group), path=at)
    for index, fleet in enumerate(instances.get("InstanceFleets", ())):
        at = ("Instances", "InstanceFleets", index)
        yield Change(Action.CREATE, f"instance fleet {fleet['InstanceFleetType']}", after=fleet_line(fleet), path=at)
    for index, action in enumerate(params.get("BootstrapActions", ())):
        script = action["ScriptBootstrapAction"]
        yield Change(
            Action.CREATE,
            f"bootstrap action {action['Name']}",
            after=(script["Path"], *script.get("Args", ())),
            reason=assessment.bootstrap_note,
            path=("BootstrapActions", index),
        )
    for index, step in enumerate(params.get("Steps", ())):
        yield _step_line(step, index)


def upload_lines(assets: Sequence[Asset]) -> Iterator[Change]:
    """Yields the local files to be staged."""
    for asset in assets:
        yield Change(Action.UPLOAD, asset.name, after=asset.uri, reason=_asset_line(asset))


def _step_line(step: Mapping[str, Any], index: int, operation: str = "") -> Change:
    command = command_of(step)
    return Change(Action.SUBMIT, f"step {step['Name']}", after=command, reason=operation, path=("Steps", index))


def command_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the jar of a step and its arguments."""
    jar = step["HadoopJarStep"]
    return (jar["Jar"], *jar.get("Args", ()))


def step_lines(wanted: Mapping[str, Any], steps: StepChanges) -> Iterator[Change]:
    """Yields the steps that are appended to a living cluster, and those that are cancelled on it."""
    for index in steps.add:
        yield _step_line(wanted["Steps"][index], index, "AddJobFlowSteps")
    for one in steps.cancel:
        yield Change(Action.DELETE, f"step {one.name}", one.state, None, "CancelSteps")


def _asset_line(asset: Asset) -> str:
    if asset.packages is not None:
        return f"packed by apply: {asset.packages.description}"
    size = number_of(asset.size, "byte")
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if asset.size >= 1000**power:
            size = f"{asset.size / 1000**power:.1f} {unit}"
            break
    return size if asset.members is None else f"{size}, {number_of(len(asset.members), 'file')} of {asset.path.name}/"


def _cluster_line(params: Mapping[str, Any]) -> str:
    software = params.get("ReleaseLabel") or params.get("AmiVersion") or ""
    applications = ", ".join(app.get("Name", "") for app in params.get("Applications", ()))
    stays = "keeps running" if lives_on(params) else "ends after its steps"
    return "; ".join(filter(None, [software, applications, stays]))


def group_line(group: Mapping[str, Any]) -> str:
    """Returns an instance group in a few words: `4 x m5.xlarge SPOT at 0.20`."""
    price = f" at {group['BidPrice']}" if group.get("BidPrice") else ""
    market = f" {group['Market']}{price}" if group.get("Market") else ""
    return f"{group['InstanceCount']} x {group['InstanceType']}{market}"


def fleet_line(fleet: Mapping[str, Any]) -> str:
    """Returns an instance fleet in a few words: `4 on demand, 2 spot of m5.xlarge, r5.xlarge`."""
    targets = ((fleet.get("TargetOnDemandCapacity"), "on demand"), (fleet.get("TargetSpotCapacity"), "spot"))
    capacity = ", ".join(f"{count} {market}" for count, market in targets if count)
    types = ", ".join(one["InstanceType"] for one in fleet.get("InstanceTypeConfigs", ()))
    return f"{capacity} of {types}" if types else capacity


def blast_radius(cluster: Cluster, now: datetime | None) -> str:
    """Returns what would be lost with a cluster: `2 steps running, up 14 h, HDFS is lost`."""
    running = [step.name for step in cluster.steps if step.state == "RUNNING"]
    pending = sum(step.state == "PENDING" for step in cluster.steps)
    steps = [f"{number_of(len(running), 'step')} running ({', '.join(running)})"] if running else []
    steps += [f"{number_of(pending, 'step')} pending"] if pending else []
    up = [f"up {_duration((now - cluster.created).total_seconds())}"] if now and cluster.created else []
    return ", ".join([*(steps or ["no step running"]), *up, *(["HDFS is lost"] if cluster.keep_alive else [])])


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        # Up to two days in hours: `up 30 h` is more exact than `up 1 d`.
        if seconds >= (2 * size if unit == "d" else size):
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


NAMES_A_SECRET = re.compile(r"passw|secret|token|credential|api.?key", re.IGNORECASE)


def without_secret(change: Change, secrets: Collection[str]) -> str | tuple[str, ...] | None:
    """Returns the value that a cluster has now, masked if it may be an earlier secret, which is not known.

    That is the case if the wanted value contains a secret, or if a name says so.
    """
    if change.before is None:
        return None
    after = list(change.after) if isinstance(change.after, tuple) else change.after
    shown = f"{change.address} {change.before}"
    return MASK if mask(after, secrets) != after or NAMES_A_SECRET.search(shown) else change.before
