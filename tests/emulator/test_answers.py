"""Every operation, through a real boto3 client, against the model that botocore has of its answer."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError

from flowspec.emulator.api.declined import DECLINED
from flowspec.emulator.api.service import OPERATIONS, Service
from flowspec.emulator.in_process import attach, respond
from flowspec.emulator.state import instances
from flowspec.emulator.state.store import Store
from flowspec.errors import FlowspecError
from tests.emulator.conftest import CORE, MASTER, bash, request
from tests.emulator.test_instances import FLEETS
from tests.emulator.test_scaling import RULE

MODEL = botocore.session.get_session().get_service_model("emr")

FULL = request(
    bash("true"),
    bash("exit 1"),
    keep_alive=True,
    groups=[
        {**MASTER, "Name": "m"},
        {
            **CORE,
            "BidPrice": "0.1",
            "Market": "SPOT",
            "Configurations": [{"Classification": "a", "Properties": {"b": "c"}}],
            "AutoScalingPolicy": {"Constraints": {"MinCapacity": 1, "MaxCapacity": 2}, "Rules": [RULE]},
        },
    ],
    LogUri="s3://b/logs",
    JobFlowRole="EMR_EC2_DefaultRole",
    ServiceRole="EMR_DefaultRole",
    Tags=[{"Key": "a", "Value": "b"}],
    Configurations=[{"Classification": "x", "Configurations": [{"Classification": "y", "Properties": {}}]}],
    BootstrapActions=[{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x.sh"}}],
    KerberosAttributes={"Realm": "R", "KdcAdminPassword": "p"},
    AutoTerminationPolicy={},
    ManagedScalingPolicy={"ComputeLimits": {"UnitType": "VCPU", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 2}},
    PlacementGroupConfigs=[{"InstanceRole": "MASTER", "PlacementStrategy": "SPREAD"}],
    MonitoringConfiguration={"CloudWatchLogConfiguration": {"Enabled": True, "LogTypes": {"STEP_LOGS": ["STDOUT"]}}},
    instances={"Ec2SubnetId": "subnet-1", "AdditionalMasterSecurityGroups": ["sg-1"]},
)


@pytest.fixture(scope="module")
def checked_client():
    """One boto3 client for all tests, since it takes its time to be made, and the service that it asks."""
    made = boto3.client("emr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    checked = Checked()
    attach(made, checked)
    return made, checked


@pytest.fixture
def client(still, checked_client):
    """A boto3 client of the embedded EMR that also checks the raw answers against the model."""
    made, checked = checked_client
    checked.service = still.service
    return made


class Checked:
    """A service whose answers are checked on their way out."""

    service: Service

    def call(self, operation, params):
        answer = self.service.call(operation, params)
        shape = MODEL.operation_model(operation).output_shape
        wrong = list(deviations(shape, answer, operation)) if shape else [str(answer)] * bool(answer)
        assert wrong == []
        return answer


def deviations(shape, value, path):
    """Returns the differences of an answer from the service model: members, types, enums."""
    kind = shape.type_name
    if kind == "structure":
        # Kerberos passwords are required when they are sent, and never given back.
        required = shape.required_members if shape.name != "KerberosAttributes" else ()
        yield from (f"{path}: no {name}" for name in required if name not in value)
        yield from (f"{path}: unknown member {name}" for name in value.keys() - shape.members.keys())
        for name in value.keys() & shape.members.keys():
            yield from deviations(shape.members[name], value[name], f"{path}.{name}")
    elif kind == "list":
        for index, item in enumerate(value):
            yield from deviations(shape.member, item, f"{path}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from deviations(shape.value, item, f"{path}[{key}]")
    else:
        types = {
            "string": str,
            "boolean": bool,
            "integer": int,
            "long": int,
            "double": float,
            "float": float,
            "timestamp": float,
        }
        if type(value) is not types[kind]:
            yield f"{path}: {value!r} is no {kind}"
        if kind == "string" and shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is not one of {shape.enum}"


def test_the_check_of_answers_finds_what_is_wrong():
    shape = MODEL.operation_model("DescribeCluster").output_shape
    wrong = {"Cluster": {"Id": 1, "Status": {"State": "ASLEEP"}, "Nonsense": "", "AutoTerminate": 0}}
    assert sorted(deviations(shape, wrong, "answer")) == [
        "answer.Cluster.AutoTerminate: 0 is no boolean",
        "answer.Cluster.Id: 1 is no string",
        "answer.Cluster.Status.State: 'ASLEEP' is not one of "
        + str(shape.members["Cluster"].members["Status"].members["State"].enum),
        "answer.Cluster: unknown member Nonsense",
    ]


def test_every_operation_of_the_model_is_implemented_or_declined():
    assert set(MODEL.operation_names) <= OPERATIONS.keys() | DECLINED.keys()
    assert not OPERATIONS.keys() & DECLINED.keys()


@pytest.mark.parametrize("operation", sorted(set(DECLINED) & set(MODEL.operation_names)))
def test_what_is_declined_says_so_by_its_name(still, operation):
    answer = respond(still.service, f"ElasticMapReduce.{operation}", b"{}")
    told = json.loads(answer.body)
    assert (answer.status, told["__type"]) == (400, "UnknownOperationException")
    assert told["message"].startswith(f"{operation} is not implemented by the embedded EMR: it has no ")


TASK = {"InstanceRole": "TASK", "InstanceType": "m5.large", "InstanceCount": 1}
TASK_FLEET = {**FLEETS[1], "InstanceFleetType": "TASK"}
SCALING = {"Constraints": {"MinCapacity": 1, "MaxCapacity": 9}, "Rules": [RULE]}
FLEET = request(bash("true"), keep_alive=True, groups=[], instances={"InstanceFleets": FLEETS})
# These are about fleets, all others are asked of a cluster with groups.
OF_FLEETS = {"AddInstanceFleet", "ListInstanceFleets", "ModifyInstanceFleet"}


def parameters(operation, cluster_id, step_id, group_id):
    """A valid request of each operation. `group_id` is of the core group, or fleet."""
    cluster, flow = {"ClusterId": cluster_id}, {"JobFlowIds": [cluster_id]}
    group, policy = {"InstanceGroupId": group_id}, FULL["ManagedScalingPolicy"]
    return {
        "RunJobFlow": FULL,
        "AddJobFlowSteps": {"JobFlowId": cluster_id, "Steps": [bash("true")]},
        "AddInstanceFleet": {**cluster, "InstanceFleet": TASK_FLEET},
        "AddInstanceGroups": {"JobFlowId": cluster_id, "InstanceGroups": [TASK]},
        "ModifyInstanceFleet": {**cluster, "InstanceFleet": {"InstanceFleetId": group_id, "TargetSpotCapacity": 9}},
        "ModifyInstanceGroups": {**cluster, "InstanceGroups": [{**group, "InstanceCount": 3}]},
        "ModifyCluster": {**cluster, "StepConcurrencyLevel": 3},
        "AddTags": {"ResourceId": cluster_id, "Tags": [{"Key": "k"}]},
        "RemoveTags": {"ResourceId": cluster_id, "TagKeys": ["k"]},
        "CancelSteps": {**cluster, "StepIds": [step_id]},
        "DescribeStep": {**cluster, "StepId": step_id},
        "DescribeJobFlows": {},
        "ListClusters": {"ClusterStates": ["STARTING", "RUNNING", "TERMINATED"]},
        "TerminateJobFlows": flow,
        "SetTerminationProtection": {**flow, "TerminationProtected": True},
        "SetKeepJobFlowAliveWhenNoSteps": {**flow, "KeepJobFlowAliveWhenNoSteps": True},
        "SetUnhealthyNodeReplacement": {**flow, "UnhealthyNodeReplacement": True},
        "SetVisibleToAllUsers": {**flow, "VisibleToAllUsers": True},
        "PutManagedScalingPolicy": {**cluster, "ManagedScalingPolicy": policy},
        "PutAutoScalingPolicy": {**cluster, **group, "AutoScalingPolicy": SCALING},
        "RemoveAutoScalingPolicy": {**cluster, **group},
        "PutAutoTerminationPolicy": {**cluster, "AutoTerminationPolicy": {"IdleTimeout": 60}},
        "CreateSecurityConfiguration": {"Name": "new", "SecurityConfiguration": "{}"},
        "DescribeSecurityConfiguration": {"Name": "there"},
        "DeleteSecurityConfiguration": {"Name": "there"},
        "ListSecurityConfigurations": {},
        "GetBlockPublicAccessConfiguration": {},
        "PutBlockPublicAccessConfiguration": {
            "BlockPublicAccessConfiguration": {"BlockPublicSecurityGroupRules": True}
        },
        "ListReleaseLabels": {},
        "DescribeReleaseLabel": {"ReleaseLabel": "emr-7.5.0"},
        "ListSupportedInstanceTypes": {"ReleaseLabel": "emr-7.5.0"},
    }.get(operation, cluster)


# Two states in one: a group that is being resized, one that is reconfigured.
LIVELY = "in between"


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", LIVELY, "TERMINATING", "TERMINATED"])
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_answer_is_as_the_model_has_it(still, client, operation, state):
    """An operation is carried out, or refused as EMR refuses it; what it changed is read back then."""
    cluster_id = client.run_job_flow(**(FLEET if operation in OF_FLEETS else FULL))["JobFlowId"]
    client.create_security_configuration(Name="there", SecurityConfiguration="{}")
    still.put_in_state(cluster_id, "RUNNING" if state == LIVELY else state)
    step_id = still.steps(cluster_id)[0]["Id"]
    group_id = core_of(still, cluster_id)
    if state == LIVELY:
        disturb(client, cluster_id, group_id)
    method = getattr(client, botocore.xform_name(operation))
    wanted = parameters(operation, cluster_id, step_id, group_id)
    if refuses(operation, state):
        with pytest.raises(ClientError, match="modified"):
            method(**wanted)
    else:
        metadata = method(**wanted)["ResponseMetadata"]
        assert (metadata["HTTPStatusCode"], len(metadata["RequestId"])) == (200, 36)
    read_all(client, cluster_id)


OF_NO_CLUSTER = {
    "CreateSecurityConfiguration",
    "DeleteSecurityConfiguration",
    "PutBlockPublicAccessConfiguration",
    "RunJobFlow",
}
ONLY_READY = {"AddInstanceFleet", "AddInstanceGroups", "ModifyInstanceFleet", "ModifyInstanceGroups"}


def refuses(operation, state):
    """True if an operation is refused in a state of its cluster (API reference and Management Guide)."""
    if operation.startswith(("List", "Describe", "Get")) or operation in OF_NO_CLUSTER | {"TerminateJobFlows"}:
        return False
    if operation in {"AddTags", "RemoveTags"}:
        return state == "TERMINATED"
    return state.startswith("TERMINAT") or (operation in ONLY_READY and state == "STARTING")


def core_of(emr, cluster_id):
    with Store(emr.home) as store:
        return next(
            group.id
            for group in instances.of_cluster(store, store.get("cluster", cluster_id))
            if instances.role(group) == "CORE"
        )


def disturb(client, cluster_id, group_id):
    """Resizes and reconfigures a group, or a fleet."""
    site = [{"Classification": "hdfs-site", "Properties": {"a": "b"}}]
    if group_id.startswith("ig-"):
        changes = [{"InstanceGroupId": group_id, "InstanceCount": 1, "Configurations": site}]
        client.modify_instance_groups(ClusterId=cluster_id, InstanceGroups=changes)
    else:
        types = [{**kind, "Configurations": site} for kind in FLEETS[1]["InstanceTypeConfigs"]]
        change = {"InstanceFleetId": group_id, "TargetOnDemandCapacity": 8, "InstanceTypeConfigs": types}
        client.modify_instance_fleet(ClusterId=cluster_id, InstanceFleet=change)


def read_all(client, cluster_id):
    """Every read there is, so that the checks of the client see its answer."""
    described = client.describe_cluster(ClusterId=cluster_id)["Cluster"]
    fleets = described["InstanceCollectionType"] == "INSTANCE_FLEET"
    listed = client.list_instance_fleets if fleets else client.list_instance_groups
    for read in (listed, client.list_instances, client.list_steps, client.list_bootstrap_actions):
        read(ClusterId=cluster_id)
    for read in (client.describe_job_flows, client.list_clusters, client.list_security_configurations):
        read()


def test_boto3_pages_through_by_itself(still, client):
    for _ in range(52):
        still.run()
    pages = client.get_paginator("list_clusters").paginate()
    assert [len(page["Clusters"]) for page in pages] == [50, 2]


def test_times_arrive_as_times(still, client):
    before = still.cluster(still.run())["Status"]["Timeline"]["CreationDateTime"]
    (summary,) = client.list_clusters()["Clusters"]
    created = summary["Status"]["Timeline"]["CreationDateTime"]
    assert created.timestamp() == before
    assert client.list_clusters(CreatedAfter=created)["Clusters"] == [summary]


def test_a_refusal_arrives_as_a_client_error(client):
    with pytest.raises(ClientError) as caught:
        client.describe_cluster(ClusterId="j-NONE")
    assert caught.value.response["Error"] == {
        "Code": "InvalidRequestException",
        "Message": "Cluster id 'j-NONE' is not valid.",
    }
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert isinstance(caught.value, client.exceptions.InvalidRequestException)


def test_an_unusable_home_arrives_as_it_is(tmp_path):
    (tmp_path / "file").write_text("")
    made = boto3.client("emr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    attach(made, Service(tmp_path / "file"))
    with pytest.raises(FlowspecError, match="FLOWSPEC_HOME is not writable"):
        made.list_clusters()


def test_the_protocol_by_itself(still):
    answer = respond(still.service, "ElasticMapReduce.ListClusters", b"{}")
    assert (answer.status, json.loads(answer.body)) == (200, {"Clusters": []})
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    for body in (b"{", b"[]", b"\xff"):
        refused = respond(still.service, "ElasticMapReduce.ListClusters", body)
        assert refused.status == 400
        assert json.loads(refused.body)["__type"] == "SerializationException"
    unknown = respond(still.service, "ElasticMapReduce.Fly", b"")
    assert json.loads(unknown.body)["__type"] == "UnknownOperationException"


def test_no_socket_is_opened(still, monkeypatch, tmp_path: Path):
    import socket

    def forbidden(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    made = boto3.client("emr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    attach(made, still.service)
    assert made.list_clusters()["Clusters"] == []
