"""The same on moto's server, which others have written: what was just made is what is wanted, as far as moto keeps it."""

import os
import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.submission.apply import apply
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import DIGEST_TAG
from tests.plan.conftest import observed, planned
from tests.plan.random_requests import Requests, members

COUNT = int(os.environ.get("FLOWSPEC_PHANTOM_COUNT_ON_MOTO", "60"))

# What moto 5 can't hold, and why a plan on it would differ.
_IGNORED = "not stored, so that it is never given back"
_TYPE_ERROR = "moto raises TypeError, which its server answers with 500"
LEFT_OUT = {
    "AdditionalInfo": _IGNORED,
    "AutoTerminationPolicy": _IGNORED,
    "EbsRootVolumeIops": _IGNORED,
    "EbsRootVolumeThroughput": _IGNORED,
    "ExtendedSupport": _IGNORED,
    "LogEncryptionKmsKeyId": _IGNORED,
    "ManagedScalingPolicy": _IGNORED,
    "MonitoringConfiguration": _IGNORED,
    "OSReleaseLabel": _IGNORED,
    "PlacementGroupConfigs": _IGNORED,
    "RepoUpgradeOnBoot": _IGNORED,
    "ScaleDownBehavior": _IGNORED,
    "SessionEnabled": _IGNORED,
    "StepExecutionRoleArn": _IGNORED,
    "Instances.Ec2SubnetIds": _IGNORED,
    "Instances.Placement.AvailabilityZones": _IGNORED,
    "Instances.UnhealthyNodeReplacement": _IGNORED,
    "Instances.InstanceGroups[].EbsConfiguration.EbsOptimized": _IGNORED,
    "Instances.InstanceGroups[].EbsConfiguration.EbsBlockDeviceConfigs[].VolumeSpecification.Throughput": _IGNORED,
    "Steps[].HadoopJarStep.MainClass": _IGNORED,
    "Instances.InstanceFleets": "ignored: the cluster has neither fleets nor groups",
    "Instances.InstanceGroups[].Configurations": _TYPE_ERROR,
    "Instances.InstanceGroups[].CustomAmiId": _TYPE_ERROR,
    "Steps[].StepMonitoringConfiguration": _TYPE_ERROR,
}


# What moto wants stated that EMR does not: the path of an owner, what is added to it, and why.
STATED = (
    ("Tags[]", {"Value": ""}, "moto raises KeyError for a tag without a value"),
    ("Steps[].HadoopJarStep.Properties[]", {"Key": "k", "Value": ""}, "moto raises KeyError when it lists the steps"),
    (
        "Instances.InstanceGroups[].EbsConfiguration.EbsBlockDeviceConfigs[]",
        {"VolumesPerInstance": 1},
        "moto makes no volume where their number is left open; EMR's reference has 1",
    ),
)


def owners(value, path):
    """The structures at a path: names with dots between, [] for each item of a list."""
    first, _, rest = path.partition(".")
    name = first.removesuffix("[]")
    found = value.get(name, [] if name != first else {})
    for one in found if name != first else [found]:
        yield from owners(one, rest) if rest else [one]


def without(params, path):
    """Takes the member at a path out of a request."""
    owner, _, name = path.rpartition(".")
    for one in owners(params, owner) if owner else [params]:
        one.pop(name, None)


def for_moto(params):
    """A request as far as moto can hold it."""
    out = deepcopy(params)
    for path in LEFT_OUT:
        without(out, path)
    for path, members_, _ in STATED:
        for one in owners(out, path):
            one |= {**members_, **one}
    instances = out["Instances"]
    # moto makes no core group for InstanceCount where SlaveInstanceType is left open.
    if "MasterInstanceType" in instances:
        instances.setdefault("SlaveInstanceType", instances["MasterInstanceType"])
    # moto takes a group with a bid for one on demand; EMR's reference has it for a spot group.
    for group in instances.get("InstanceGroups", ()):
        group.update({"Market": "SPOT"} if group.get("BidPrice") else {})
    return out


def has_machines(params):
    return "InstanceGroups" in params["Instances"] or "MasterInstanceType" in params["Instances"]


def test_no_difference_after_an_apply(moto):
    emr = connect(Endpoint("emr", "us-east-1", endpoint_url=moto))
    requests, seen, covered = Requests("moto"), Counter(), set()
    while seen["made"] < COUNT:
        params = for_moto(requests.draw())
        if not has_machines(params):
            continue
        try:
            applied = apply(planned(params), emr, sleep=lambda _: None)
        except FlowspecError as refused:
            seen[re.sub(r"j-\w+", "", refused.message)[:120]] += 1
            continue
        seen["made"] += 1
        covered.update(members(params))
        cluster = observed(emr, applied.cluster_id)
        after = planned(params, replace(cluster, tags={**cluster.tags, DIGEST_TAG: "of another request"}))
        assert [(one.address, one.before, one.after) for one in after.changes] == []
        emr.call("SetTerminationProtection", JobFlowIds=[cluster.id], TerminationProtected=False)
        emr.call("TerminateJobFlows", JobFlowIds=[cluster.id])
    assert seen["made"] > 0.6 * seen.total(), seen.most_common(8)
    assert len(covered) > 80


@pytest.mark.parametrize("path", ["Steps[].HadoopJarStep.MainClass", "Instances.Ec2SubnetIds"])
def test_what_is_left_out_is_only_that(path):
    params = {
        "Instances": {"Ec2SubnetIds": ["subnet-1"], "Ec2KeyName": "mine"},
        "Steps": [{"Name": "one", "HadoopJarStep": {"Jar": "a.jar", "MainClass": "X"}}],
    }
    without(params, path)
    assert ("MainClass" in str(params), "Ec2SubnetIds" in str(params)) == ("Main" not in path, "Subnet" not in path)
    assert params["Steps"][0]["HadoopJarStep"]["Jar"] == "a.jar"
