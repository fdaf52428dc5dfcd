"""Operations on clusters: create, describe, list, change and terminate.

The RunJobFlow request is stored unchanged, with the members that may change later (tags, protection,
concurrency ...) beside it. Answers use EMR's spellings, which can differ from the request's (s3n:// log URIs).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from flowspec.emulator import faults
from flowspec.emulator.api import groups, request_validation, security, steps, tags
from flowspec.emulator.api.calls import (
    PAGE_SIZE,
    Call,
    Operation,
    Params,
    decode_marker,
    marker,
    page,
    require_open,
)
from flowspec.emulator.api.catalogue import versions_of
from flowspec.emulator.errors import validation
from flowspec.emulator.state import capacity, ids, instances, lifecycle, paths
from flowspec.emulator.state.answers import Answer, status
from flowspec.emulator.state.identity import home_id
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import starting, supervisor
from flowspec.emulator.worker.failing import fail_unstarted
from flowspec.facts import states
from flowspec.facts.api_model import RETURNED_OF_INSTANCES
from flowspec.facts.limits import MAX_TERMINATED_AT_ONCE
from flowspec.facts.releases import amazon_linux, at_least
from flowspec.facts.rules import common

_ECHOED = (
    "LogEncryptionKmsKeyId",
    "ReleaseLabel",
    "ServiceRole",
    "SecurityConfiguration",
    "AutoScalingRole",
    "CustomAmiId",
    "RepoUpgradeOnBoot",
    "ExtendedSupport",
    "EbsRootVolumeSize",
    "EbsRootVolumeIops",
    "EbsRootVolumeThroughput",
    "MonitoringConfiguration",
    "SessionEnabled",
)


def run_job_flow(call: Call, params: Params) -> Answer:
    """Answers RunJobFlow: stores the cluster with its steps, and starts its worker after the commit."""
    request_validation.check_job_flow(params, aws=call.settings.account_rules)
    security.require(call, params.get("SecurityConfiguration"))
    cluster = _new_cluster(call, params)
    call.store.add(cluster)
    groups.add_all(call.store, cluster, params["Instances"])
    steps.add(call, cluster, params.get("Steps", ()), params.get("StepExecutionRoleArn"))
    if call.settings.instant:
        lifecycle.run_instantly(call.store, cluster)
        capacity.settle(call.store, cluster, call.now)
    else:
        _start_worker_after_commit(call, cluster)
    return {"JobFlowId": cluster.id, "ClusterArn": ids.cluster_arn(call.settings.region, cluster.id)}


def _new_cluster(call: Call, params: Params) -> Record:
    wanted = params["Instances"]
    highly_available = common.has_three_masters(common.Params(params))
    # A cluster with three masters is protected and long-lived by default (Management Guide, high availability).
    protected = wanted.get("TerminationProtected", False) or highly_available
    doc = {
        "request": _stored_request(params),
        "reason": {},
        "ready": None,
        "ended": None,
        "errors": [],
        "with_errors": False,
        "idle_since": None,
        "keep_alive": wanted.get("KeepJobFlowAliveWhenNoSteps", False) or highly_available,
        "protected": protected,
        "unhealthy_replacement": wanted.get(
            "UnhealthyNodeReplacement", not protected or _replaces_if_protected(params, highly_available)
        ),
        "visible": params.get("VisibleToAllUsers", True),
        "concurrency": params.get("StepConcurrencyLevel", 1),
        "tags": tags.merged({}, params.get("Tags", ())),
        "auto_termination": params.get("AutoTerminationPolicy"),
        "managed_scaling": params.get("ManagedScalingPolicy"),
        "run_bootstrap": call.settings.run_bootstrap,
        "time_scale": call.settings.time_scale,
        "faults": call.settings.inject,
        "inject": faults.read_tag(params),
        "s3_url": call.settings.s3_url,
        "home": home_id(call.settings.home),
        "instant": call.settings.instant,
    }
    cluster_id = ids.new_id("j")
    return Record("cluster", cluster_id, cluster_id, call.settings.region, "STARTING", call.now, doc)


def _replaces_if_protected(params: Params, highly_available: bool) -> bool:
    """Returns True if EMR replaces the unhealthy nodes of a protected cluster by default.

    Up to emr-7.0 it does not with one node or three masters (Management Guide, replacing unhealthy nodes).
    """
    wanted = params["Instances"]
    kinds = [*wanted.get("InstanceGroups", ()), *wanted.get("InstanceFleets", ())]
    single = len(kinds) < 2 and wanted.get("InstanceCount", 1) < 2
    return at_least(params.get("ReleaseLabel"), 7, 1) or not (single or highly_available)


def _stored_request(params: Params) -> Answer:
    """Returns the request without members stored elsewhere, and without the Kerberos passwords."""
    kept = {name: value for name, value in params.items() if name not in {"Steps", "Tags"}}
    if "KerberosAttributes" in kept:
        kept["KerberosAttributes"] = {"Realm": kept["KerberosAttributes"]["Realm"]}
    return kept


def _start_worker_after_commit(call: Call, cluster: Record) -> None:
    paths.cluster_folder(call.settings.home, cluster.id).mkdir(parents=True)
    paths.hdfs_root(call.settings.home, cluster.id).mkdir()
    # Locked before the cluster is visible, so that no other call takes its worker for dead.
    lock = supervisor.take_lock(call.settings.home, cluster.id)
    assert lock is not None, "a new cluster has no worker"
    call.at_exit.callback(os.close, lock)
    call.after_commit.append(partial(_start_worker, call, cluster.id, lock))


def _start_worker(call: Call, cluster_id: str, lock: int) -> None:
    start = call.settings.start_worker or starting.start
    try:
        start(call.settings.home, cluster_id, lock)
    except OSError as error:
        fail_unstarted(call.settings.home, cluster_id, error)


def describe_cluster(call: Call, params: Params) -> Answer:
    """Answers DescribeCluster."""
    return {"Cluster": _cluster_answer(call, call.cluster(params["ClusterId"]))}


def _cluster_answer(call: Call, cluster: Record) -> Answer:
    request, doc = cluster.doc["request"], cluster.doc
    answer = {
        **_summary(cluster),
        **{name: request[name] for name in _ECHOED if name in request},
        "Ec2InstanceAttributes": ec2_attributes(request, cluster.region),
        "InstanceCollectionType": "INSTANCE_FLEET" if request["Instances"].get("InstanceFleets") else "INSTANCE_GROUP",
        "AutoTerminate": not doc["keep_alive"],
        "TerminationProtected": doc["protected"],
        "UnhealthyNodeReplacement": doc["unhealthy_replacement"],
        "VisibleToAllUsers": doc["visible"],
        "Applications": _applications(request),
        "Tags": [{"Key": key, "Value": value} for key, value in doc["tags"].items()],
        "Configurations": request.get("Configurations", []),
        "ScaleDownBehavior": request.get("ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION"),
        "KerberosAttributes": request.get("KerberosAttributes", {}),
        "StepConcurrencyLevel": doc["concurrency"],
        "PlacementGroups": request.get("PlacementGroupConfigs", []),
        "MasterPublicDnsName": master_dns(call, cluster),
    }
    derived = {
        "LogUri": log_uri(request.get("LogUri")),
        "OSReleaseLabel": request.get("OSReleaseLabel") or amazon_linux(request.get("ReleaseLabel")),
        "RequestedAmiVersion": request.get("AmiVersion"),
        "RunningAmiVersion": request.get("AmiVersion"),
    }
    return answer | {name: value for name, value in derived.items() if value}


def _summary(cluster: Record) -> Answer:
    now = status(
        cluster.state,
        cluster.doc["reason"],
        CreationDateTime=cluster.created,
        ReadyDateTime=cluster.doc["ready"],
        EndDateTime=cluster.doc["ended"],
    )
    if cluster.doc["errors"]:
        now["ErrorDetails"] = cluster.doc["errors"]
    return {
        "Id": cluster.id,
        "Name": cluster.doc["request"]["Name"],
        "Status": now,
        "NormalizedInstanceHours": 0,
        "ClusterArn": ids.cluster_arn(cluster.region, cluster.id),
    }


def log_uri(uri: str | None) -> str | None:
    """Spells a log URI as DescribeCluster does: s3://b/p becomes s3n://b/p/."""
    if not uri:
        return None
    spelled = "s3n" + uri[2:] if uri.startswith("s3://") else uri
    return spelled if spelled.endswith("/") else f"{spelled}/"


def ec2_attributes(request: Mapping[str, Any], region: str) -> Answer:
    """Returns Ec2InstanceAttributes: network, zone, key and profile of the nodes, requested and actual."""
    wanted = request["Instances"]
    placement = wanted.get("Placement", {})
    subnets = wanted.get("Ec2SubnetIds") or [wanted[name] for name in ("Ec2SubnetId",) if wanted.get(name)]
    zones = placement.get("AvailabilityZones") or [
        placement[name] for name in ("AvailabilityZone",) if placement.get(name)
    ]
    answer = {name: wanted[name] for name in RETURNED_OF_INSTANCES if wanted.get(name)}
    answer["RequestedEc2SubnetIds"] = subnets
    answer["RequestedEc2AvailabilityZones"] = zones
    answer["Ec2AvailabilityZone"] = zones[0] if zones else f"{region}a"
    if subnets:
        answer["Ec2SubnetId"] = subnets[0]
    if request.get("JobFlowRole"):
        # As it was specified, name or ARN (API reference, Ec2InstanceAttributes). Terraform's examples pass the ARN;
        # if a name came back, it would replace the cluster.
        answer["IamInstanceProfile"] = request["JobFlowRole"]
    return answer


def _applications(request: Mapping[str, Any]) -> list[Answer]:
    """Returns the requested applications, or Hadoop alone if there are none, with the release's versions."""
    label = request.get("ReleaseLabel")
    asked = request.get("Applications") or ([{"Name": "Hadoop"}] if label else [])
    versions = versions_of(label or "")
    answers = []
    for application in asked:
        version = versions.get(application.get("Name", "").lower())
        answers.append({**application, **({"Version": version} if version else {})})
    return answers


def master_dns(call: Call, cluster: Record) -> str:
    """Returns the DNS name of the master node: its public one outside of a VPC subnet, else the private one."""
    group = instances.master(call.store, cluster)
    private, public = instances.dns_names(group, instances.MASTER_NUMBER, cluster)
    return public or private


def list_clusters(call: Call, params: Params) -> Answer:
    """Answers ListClusters, newest first, 50 on a page."""
    found = call.store.find(
        "cluster",
        region=call.known_region,
        states=params.get("ClusterStates") or None,
        created_after=params.get("CreatedAfter"),
        created_before=params.get("CreatedBefore"),
        before_seq=decode_marker(params["Marker"]) if params.get("Marker") else None,
        newest_first=True,
        limit=PAGE_SIZE + 1,
    )
    shown = found[:PAGE_SIZE]
    more = {"Marker": marker(shown[-1].seq)} if len(found) > PAGE_SIZE else {}
    return {"Clusters": [_summary(cluster) for cluster in shown], **more}


def list_bootstrap_actions(call: Call, params: Params) -> Answer:
    """Answers ListBootstrapActions."""
    cluster = call.cluster(params["ClusterId"])
    answers = []
    for action in cluster.doc["request"].get("BootstrapActions", ()):
        script = action["ScriptBootstrapAction"]
        answers.append({"Name": action["Name"], "ScriptPath": script["Path"], "Args": script.get("Args", [])})
    shown, more = page(list(enumerate(answers)), params)
    return {"BootstrapActions": shown, **more}


def terminate_job_flows(call: Call, params: Params) -> Answer:
    """Answers TerminateJobFlows: terminates none of the clusters if one of them is protected."""
    if len(params["JobFlowIds"]) > MAX_TERMINATED_AT_ONCE:
        raise validation(f"At most {MAX_TERMINATED_AT_ONCE} job flows may be terminated at once.")
    if len(set(params["JobFlowIds"])) < len(params["JobFlowIds"]):
        # Its words for an id that is given twice (mrjob).
        raise validation("Specified job flow ID does not exist.")
    clusters = [cluster for cluster in call.job_flows(params["JobFlowIds"]) if cluster.state in states.OPEN]
    if any(cluster.doc["protected"] for cluster in clusters):
        raise validation("Could not shut down one or more job flows since they are termination protected.")
    for cluster in clusters:
        lifecycle.terminate_on_request(call.store, cluster)
        call.wake(cluster)
    return {}


def _boolean_setter(member: str, name: str) -> Operation:
    """Returns an operation that sets one boolean of several clusters: request `member`, document key `name`."""

    def switch(call: Call, params: Params) -> Answer:
        for cluster in call.job_flows(params["JobFlowIds"]):
            require_open(cluster).doc[name] = params[member]
            call.store.save(cluster)
            call.wake(cluster)
        return {}

    return switch


def modify_cluster(call: Call, params: Params) -> Answer:
    """Answers ModifyCluster: sets the step concurrency level."""
    cluster = require_open(call.cluster(params["ClusterId"]))
    if "StepConcurrencyLevel" in params:
        request_validation.check_concurrency(params["StepConcurrencyLevel"], cluster.doc["request"])
        cluster.doc["concurrency"] = params["StepConcurrencyLevel"]
    if "ExtendedSupport" in params:
        cluster.doc["request"]["ExtendedSupport"] = params["ExtendedSupport"]
    call.store.save(cluster)
    call.wake(cluster)
    echoed = {name: params[name] for name in ("ExtendedSupport",) if name in params}
    return {"StepConcurrencyLevel": cluster.doc["concurrency"], **echoed}


OPERATIONS: dict[str, Operation] = {
    "DescribeCluster": describe_cluster,
    "ListBootstrapActions": list_bootstrap_actions,
    "ListClusters": list_clusters,
    "ModifyCluster": modify_cluster,
    "RunJobFlow": run_job_flow,
    "SetKeepJobFlowAliveWhenNoSteps": _boolean_setter("KeepJobFlowAliveWhenNoSteps", "keep_alive"),
    "SetTerminationProtection": _boolean_setter("TerminationProtected", "protected"),
    "SetUnhealthyNodeReplacement": _boolean_setter("UnhealthyNodeReplacement", "unhealthy_replacement"),
    "SetVisibleToAllUsers": _boolean_setter("VisibleToAllUsers", "visible"),
    "TerminateJobFlows": terminate_job_flows,
}
