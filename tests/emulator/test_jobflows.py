"""DescribeJobFlows: old words for what is there."""

from __future__ import annotations

import pytest

from flowspec.emulator.api import jobflows
from flowspec.emulator.api.service import EmrError, Service
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import CORE, MASTER, Emr, bash
from tests.emulator.test_instances import FLEETS


def job_flows(emr, **params):
    return emr.call("DescribeJobFlows", **params)["JobFlows"]


def ids(emr, **params):
    return [flow["JobFlowId"] for flow in job_flows(emr, **params)]


def test_a_job_flow_has_the_members_of_old(still):
    cluster_id = still.run(
        bash("true", "TERMINATE_CLUSTER"),
        bash("false"),
        groups=[MASTER, {**CORE, "Name": "core", "BidPrice": "0.1"}],
        keep_alive=True,
        LogUri="s3://b/logs",
        BootstrapActions=[{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x", "Args": ["1"]}}],
        instances={"Ec2KeyName": "key", "TerminationProtected": True},
    )
    still.put_in_state(cluster_id, "WAITING")
    (flow,) = job_flows(still)
    modern = still.cluster(cluster_id)
    assert (flow["JobFlowId"], flow["Name"], flow["LogUri"]) == (cluster_id, "flow", "s3n://b/logs/")
    assert flow["ExecutionStatusDetail"]["State"] == "WAITING"
    assert flow["ExecutionStatusDetail"].items() >= modern["Status"]["Timeline"].items()
    instances = flow["Instances"]
    assert (instances["MasterInstanceType"], instances["SlaveInstanceType"], instances["InstanceCount"]) == (
        "m5.xlarge",
        "m5.xlarge",
        3,
    )
    assert instances["MasterPublicDnsName"] == modern["MasterPublicDnsName"]
    (master,) = still.call("ListInstances", ClusterId=cluster_id, InstanceGroupTypes=["MASTER"])["Instances"]
    assert instances["MasterInstanceId"] == master["Ec2InstanceId"]
    assert (instances["KeepJobFlowAliveWhenNoSteps"], instances["TerminationProtected"]) == (True, True)
    assert (instances["Ec2KeyName"], instances["Placement"]) == ("key", {"AvailabilityZone": "us-east-1a"})
    core = instances["InstanceGroups"][1]
    assert (core["Name"], core["Market"], core["BidPrice"]) == ("core", "SPOT", "0.1")
    assert (core["InstanceRole"], core["InstanceRequestCount"], core["InstanceRunningCount"]) == ("CORE", 2, 2)
    assert [step["ExecutionStatusDetail"]["State"] for step in flow["Steps"]] == ["PENDING", "PENDING"]
    assert flow["Steps"][0]["StepConfig"]["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert flow["Steps"][0]["StepConfig"]["HadoopJarStep"]["Args"] == ["bash", "-c", "true"]
    action = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x", "Args": ["1"]}}
    assert flow["BootstrapActions"] == [{"BootstrapActionConfig": action}]


def test_a_cluster_with_fleets_has_no_groups(still):
    still.run(groups=[], instances={"InstanceFleets": FLEETS})
    instances = job_flows(still)[0]["Instances"]
    assert (instances["InstanceGroups"], instances["SlaveInstanceType"]) == ([], "m5.2xlarge")


@pytest.mark.parametrize(
    ("code", "with_errors", "state"),
    [
        ("ALL_STEPS_COMPLETED", False, "COMPLETED"),
        ("USER_REQUEST", False, "TERMINATED"),
        ("STEP_FAILURE", True, "FAILED"),
    ],
)
def test_how_a_job_flow_ended(still, code, with_errors, state):
    cluster_id = still.run()
    with Store(still.home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        lifecycle.begin_termination(store, cluster, code, "why", with_errors=with_errors)
        assert still_state(still) == "STARTING"  # not committed yet
    assert still_state(still) == "SHUTTING_DOWN"
    with Store(still.home) as store, store.writing():
        lifecycle.end(store, store.get("cluster", cluster_id))
    detail = job_flows(still)[0]["ExecutionStatusDetail"]
    assert (detail["State"], detail["LastStateChangeReason"]) == (state, "why")
    assert ids(still, JobFlowStates=[state]) == [cluster_id]
    assert ids(still, JobFlowStates=["RUNNING"]) == []


def still_state(emr):
    return job_flows(emr)[0]["ExecutionStatusDetail"]["State"]


def test_job_flows_are_asked_for_by_id_and_by_time(still):
    first, second, third = (still.run() for _ in range(3))
    assert ids(still) == [third, second, first]
    assert ids(still, JobFlowIds=[first, third]) == [third, first]
    created = still.cluster(second)["Status"]["Timeline"]["CreationDateTime"]
    assert set(ids(still, CreatedAfter=created)) >= {second, third}
    assert ids(still, CreatedBefore=created - 3600) == []
    assert ids(still, JobFlowIds=[second], CreatedBefore=created - 3600) == []
    assert ids(still, JobFlowIds=[second], CreatedAfter=created + 3600) == []
    assert ids(still, JobFlowIds=[second], CreatedAfter=created - 3600, CreatedBefore=created + 3600) == [second]
    with pytest.raises(EmrError, match="Specified job flow ID not valid"):
        ids(still, JobFlowIds=[first, "j-NONE"])
    with pytest.raises(EmrError, match="CreatedAfter must be earlier than CreatedBefore"):
        ids(still, CreatedAfter=created, CreatedBefore=created)


def test_without_parameters_old_job_flows_are_left_out(still, later):
    alive, ended = still.run(), still.run()
    still.put_in_state(ended, "TERMINATED")
    later(15 * 86400)
    assert ids(still) == [alive]
    assert ids(still, JobFlowIds=[ended]) == [ended]
    later(60 * 86400)
    assert ids(still) == []
    assert ids(still, JobFlowIds=[ended]) == []
    assert ids(still, CreatedBefore=still.cluster(ended)["Status"]["Timeline"]["CreationDateTime"]) == []


def test_groups_have_a_start_once_their_instances_exist(still):
    cluster_id = still.run()
    assert "StartDateTime" not in job_flows(still)[0]["Instances"]["InstanceGroups"][0]
    still.put_in_state(cluster_id, "WAITING")
    group = job_flows(still)[0]["Instances"]["InstanceGroups"][0]
    assert group["CreationDateTime"] <= group["StartDateTime"] <= group["ReadyDateTime"]


def test_of_many_only_what_fits_an_answer_is_read(home, monkeypatch):
    emr, read = Emr(Service(home, instant=True)), []

    def find(store, kind, find=Store.find, **conditions):
        found = find(store, kind, **conditions)
        read.extend(record.id for record in found if kind == "cluster")
        return found

    monkeypatch.setattr(Store, "find", find)
    monkeypatch.setattr(jobflows, "MAX_JOB_FLOWS", 2)
    completed, ended = [], []
    for _ in range(3):
        completed.append(emr.run(bash("true")))
        ended.append(emr.run(keep_alive=True))
        emr.call("TerminateJobFlows", JobFlowIds=ended[-1:])
    for params in ({}, {"CreatedAfter": 1}):
        read.clear()
        assert ids(emr, **params) == [ended[2], completed[2]]
        assert read == [ended[2], completed[2]]
    assert ids(emr, JobFlowStates=["COMPLETED"]) == completed[:0:-1]
    assert ids(emr, JobFlowStates=["TERMINATED"]) == ended[:0:-1]
    assert ids(emr, JobFlowIds=completed) == completed[:0:-1]
    read.clear()
    assert ids(emr, JobFlowStates=["WAITING"]) == read == []
