"""EMR as a script meets it that is only to be recorded: everything is accepted, and is over at once.

A cluster that ends by itself is found running once and then ended, all its steps completed; one that is kept
alive waits for work until it is terminated, or until it was looked at too often for anyone to be doing more
than waiting for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from flowspec.importers.migrate import samples

Json = dict[str, Any]

_MANY_LOOKS = 200
_STATES = {"TERMINATED": "COMPLETED"}


@dataclass
class _Cluster:
    id: str
    params: Json
    steps: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    looks: int = 0
    ended: bool = False

    def look(self) -> str:
        """Its state, as it is found now."""
        self.looks += 1
        keeps = self.params.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps", False)
        if self.ended or self.looks > _MANY_LOOKS or (not keeps and self.looks > 1):
            return "TERMINATED"
        return "WAITING" if keeps else "RUNNING"


class Recorder:
    """Answers EMR's operations; each call is handed to `write` first."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._clusters: dict[str, _Cluster] = {}

    def answer(self, operation: str, params: Mapping[str, Any], shape: Any, region: str) -> Json:
        """The answer to a call, of botocore's output shape; `region` is noted beside it."""
        known = _ANSWERS.get(operation)
        made, about = known(self, dict(params)) if known else ({}, "")
        self._write(service="emr", operation=operation, params=params, id=about, region=region)
        plain = samples.answer(None, "emr")
        if not known and not operation.startswith(("Put", "Set", "Terminate", "Remove", "Modify", "Cancel")):
            plain = samples.answer(shape, "emr")
        return {**plain, **made}

    def run_job_flow(self, params: Json) -> tuple[Json, str]:
        """RunJobFlow."""
        cluster = _Cluster(_id("j-"), params)
        self._clusters[cluster.id] = cluster
        self._add_steps(cluster, params.get("Steps", []))
        self._add_groups(cluster, _groups_of(params))
        arn = f"arn:aws:elasticmapreduce:us-east-1:123456789012:cluster/{cluster.id}"
        return {"JobFlowId": cluster.id, "ClusterArn": arn}, cluster.id

    def add_steps(self, params: Json) -> tuple[Json, str]:
        """AddJobFlowSteps."""
        cluster = self._named(params["JobFlowId"])
        return {"StepIds": self._add_steps(cluster, params["Steps"])}, cluster.id

    def add_groups(self, params: Json) -> tuple[Json, str]:
        """AddInstanceGroups."""
        cluster = self._named(params["JobFlowId"])
        made = self._add_groups(cluster, params["InstanceGroups"])
        return {"JobFlowId": cluster.id, "InstanceGroupIds": made}, cluster.id

    def modify_groups(self, params: Json) -> tuple[Json, str]:
        """ModifyInstanceGroups: boto 2 names no cluster, the groups have one."""
        ids = {group["InstanceGroupId"] for group in params.get("InstanceGroups", [])}
        return {}, next((cluster.id for cluster in self._clusters.values() if ids & cluster.groups.keys()), "")

    def terminate(self, params: Json) -> tuple[Json, str]:
        """TerminateJobFlows."""
        for name in params["JobFlowIds"]:
            self._named(name).ended = True
        return {}, ""

    def describe_cluster(self, params: Json) -> tuple[Json, str]:
        """DescribeCluster."""
        cluster = self._named(params["ClusterId"])
        instances = cluster.params.get("Instances", {})
        told = {
            **{key: cluster.params[key] for key in _ECHOED if key in cluster.params},
            "Id": cluster.id,
            "Name": cluster.params.get("Name", "sample"),
            "Status": _status(cluster.look()),
            "Ec2InstanceAttributes": {
                "Ec2KeyName": instances.get("Ec2KeyName", ""),
                "Ec2AvailabilityZone": "us-east-1a",
            },
            "AutoTerminate": not instances.get("KeepJobFlowAliveWhenNoSteps", False),
            "TerminationProtected": instances.get("TerminationProtected", False),
            "NormalizedInstanceHours": 0,
            "MasterPublicDnsName": "ec2-203-0-113-1.compute-1.amazonaws.com",
        }
        return {"Cluster": told}, cluster.id

    def list_clusters(self, params: Json) -> tuple[Json, str]:
        """ListClusters."""
        wanted = params.get("ClusterStates")
        found = []
        for cluster in self._clusters.values():
            state = cluster.look()
            if not wanted or state in wanted:
                name = cluster.params.get("Name", "sample")
                found.append({"Id": cluster.id, "Name": name, "Status": _status(state), "NormalizedInstanceHours": 0})
        return {"Clusters": found}, ""

    def describe_step(self, params: Json) -> tuple[Json, str]:
        """DescribeStep."""
        cluster = self._named(params["ClusterId"])
        cluster.looks += 1
        step = cluster.steps.get(params["StepId"], {"Name": "sample", "HadoopJarStep": {"Jar": "sample"}})
        return {"Step": _step(params["StepId"], step)}, cluster.id

    def list_steps(self, params: Json) -> tuple[Json, str]:
        """ListSteps, the newest first."""
        cluster = self._named(params["ClusterId"])
        cluster.looks += 1
        states = params.get("StepStates")
        found = [] if states and "COMPLETED" not in states else list(cluster.steps.items())
        return {"Steps": [_step(name, step) for name, step in reversed(found)]}, cluster.id

    def list_groups(self, params: Json) -> tuple[Json, str]:
        """ListInstanceGroups."""
        cluster = self._named(params["ClusterId"])
        told = [
            {
                "Id": name,
                "Name": group.get("Name", ""),
                "Market": group.get("Market", "ON_DEMAND"),
                "InstanceGroupType": group["InstanceRole"],
                "InstanceType": group["InstanceType"],
                "RequestedInstanceCount": group["InstanceCount"],
                "RunningInstanceCount": group["InstanceCount"],
                "Status": {"State": "RUNNING", "StateChangeReason": {}, "Timeline": {}},
            }
            for name, group in cluster.groups.items()
        ]
        return {"InstanceGroups": told}, cluster.id

    def describe_job_flows(self, params: Json) -> tuple[Json, str]:
        """DescribeJobFlows, with the words of its time."""
        named = [self._named(name) for name in params.get("JobFlowIds", [])] or list(self._clusters.values())
        told = []
        for cluster in named:
            state = cluster.look()
            now = datetime.now(timezone.utc)
            told.append(
                {
                    "JobFlowId": cluster.id,
                    "Name": cluster.params.get("Name", "sample"),
                    "ExecutionStatusDetail": {"State": _STATES.get(state, state), "CreationDateTime": now},
                    "Instances": {
                        "MasterInstanceType": "m5.xlarge",
                        "SlaveInstanceType": "m5.xlarge",
                        "InstanceCount": 1,
                    },
                    "Steps": [
                        {"StepConfig": step, "ExecutionStatusDetail": {"State": "COMPLETED", "CreationDateTime": now}}
                        for step in cluster.steps.values()
                    ],
                }
            )
        return {"JobFlows": told}, ""

    def _named(self, name: str) -> _Cluster:
        """A cluster; one that the script did not make is taken to be there."""
        return self._clusters.get(name) or _Cluster(name, {"Instances": {"KeepJobFlowAliveWhenNoSteps": True}})

    def _add_steps(self, cluster: _Cluster, steps: list[Json]) -> list[str]:
        made = {_id("s-"): step for step in steps}
        cluster.steps |= made
        return list(made)

    def _add_groups(self, cluster: _Cluster, groups: list[Json]) -> list[str]:
        made = {_id("ig-"): group for group in groups}
        cluster.groups |= made
        return list(made)


_ECHOED = ("LogUri", "ReleaseLabel", "Applications", "Tags", "ServiceRole", "VisibleToAllUsers", "Configurations")


def _id(prefix: str) -> str:
    # Not from `random`, which a script may seed.
    return prefix + os.urandom(7).hex()[:13].upper()


def _groups_of(params: Json) -> list[Json]:
    instances = params.get("Instances", {})
    if instances.get("InstanceGroups") or not instances.get("InstanceCount"):
        return list(instances.get("InstanceGroups", []))
    count, master = instances["InstanceCount"], instances.get("MasterInstanceType", "m5.xlarge")
    groups = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        slave = instances.get("SlaveInstanceType", master)
        groups.append({"InstanceRole": "CORE", "InstanceType": slave, "InstanceCount": count - 1})
    return groups


def _status(state: str) -> Json:
    now = datetime.now(timezone.utc)
    reason = {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"} if state == "TERMINATED" else {}
    ended = {"EndDateTime": now} if state == "TERMINATED" else {}
    timeline = {"CreationDateTime": now, "ReadyDateTime": now, **ended}
    return {"State": state, "StateChangeReason": reason, "Timeline": timeline}


def _step(name: str, step: Json) -> Json:
    jar = step["HadoopJarStep"]
    properties = {one.get("Key", ""): one.get("Value", "") for one in jar.get("Properties", [])}
    config = {"Jar": jar["Jar"], "Properties": properties, "Args": jar.get("Args", [])}
    now = datetime.now(timezone.utc)
    timeline = {"CreationDateTime": now, "StartDateTime": now, "EndDateTime": now}
    status = {"State": "COMPLETED", "StateChangeReason": {}, "Timeline": timeline}
    action = step.get("ActionOnFailure", "CONTINUE")
    return {"Id": name, "Name": step["Name"], "Config": config, "ActionOnFailure": action, "Status": status}


_ANSWERS: Mapping[str, Callable[[Recorder, Json], tuple[Json, str]]] = {
    "RunJobFlow": Recorder.run_job_flow,
    "AddJobFlowSteps": Recorder.add_steps,
    "AddInstanceGroups": Recorder.add_groups,
    "ModifyInstanceGroups": Recorder.modify_groups,
    "TerminateJobFlows": Recorder.terminate,
    "DescribeCluster": Recorder.describe_cluster,
    "ListClusters": Recorder.list_clusters,
    "DescribeStep": Recorder.describe_step,
    "ListSteps": Recorder.list_steps,
    "ListInstanceGroups": Recorder.list_groups,
    "DescribeJobFlows": Recorder.describe_job_flows,
}
