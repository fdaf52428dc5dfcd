"""The mode for unit tests of clients: no worker and no process, EMR's rules and answers."""

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.errors import EmrError
from flowspec.emulator.state.prune import prune
from flowspec.emulator.worker import supervisor
from tests.emulator.conftest import CORE, MASTER, Emr, bash, emulator, request


@pytest.fixture
def instant(home):
    return Emr(Service(home, instant=True))


def test_a_long_lived_cluster_waits_at_once(instant):
    cluster_id = instant.run(keep_alive=True, groups=[MASTER, CORE])
    assert instant.state(cluster_id) == "WAITING"
    group = instant.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][1]
    assert (group["Status"]["State"], group["RunningInstanceCount"]) == ("RUNNING", 2)


def test_steps_are_completed_and_not_run(instant, tmp_path):
    cluster_id = instant.run(bash(f"touch {tmp_path}/ran"), keep_alive=True)
    instant.add(cluster_id, bash("exit 1"), bash("true"))
    assert instant.step_states(cluster_id) == ["COMPLETED"] * 3
    timeline = instant.steps(cluster_id)[0]["Status"]["Timeline"]
    assert timeline["CreationDateTime"] <= timeline["StartDateTime"] <= timeline["EndDateTime"]
    assert (instant.state(cluster_id), (tmp_path / "ran").exists()) == ("WAITING", False)


def test_a_transient_cluster_ends_with_its_steps(instant):
    cluster_id = instant.run(bash("true"))
    assert (instant.state(cluster_id), instant.reason(cluster_id)[0]) == ("TERMINATED", "ALL_STEPS_COMPLETED")
    without = instant.run()
    assert instant.state(without) == "WAITING"
    instant.add(without, bash("true"))
    assert instant.state(without) == "TERMINATED"


def test_termination_and_its_rules(instant):
    cluster_id = instant.run(keep_alive=True, instances={"TerminationProtected": True})
    with pytest.raises(EmrError, match="termination protected"):
        instant.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    instant.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=False)
    instant.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    assert (instant.state(cluster_id), instant.reason(cluster_id)[0]) == ("TERMINATED", "USER_REQUEST")
    with pytest.raises(EmrError, match="may not be modified"):
        instant.add(cluster_id, bash("true"))
    with pytest.raises(EmrError, match="Maximum number of active steps"):
        instant.run(*[bash("true")] * 257)


def test_a_cluster_that_is_told_to_end_after_its_steps_does(instant):
    cluster_id = instant.run(bash("true"), keep_alive=True)
    instant.call("SetKeepJobFlowAliveWhenNoSteps", JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False)
    assert instant.state(cluster_id) == "TERMINATED"


def test_another_service_on_the_home_lets_them_be(instant):
    cluster_id = instant.run(keep_alive=True)
    running = Emr(Service(instant.home))
    assert running.state(cluster_id) == "WAITING"
    running.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    assert running.state(cluster_id) == "TERMINATED"
    assert prune(instant.home, 0).clusters == 1


def test_no_call_looks_for_the_workers_of_many(instant, monkeypatch):
    tried = []
    monkeypatch.setattr(supervisor, "take_lock", lambda _, cluster_id: tried.append(cluster_id))
    living = [instant.run(keep_alive=True) for _ in range(3)]
    assert len(instant.call("ListClusters")["Clusters"]) == len(living)
    assert instant.state(living[0]) == "WAITING"
    assert tried == []


def test_the_option(home):
    import boto3

    with emulator(home, "--instant") as url:
        client = boto3.client("emr", "us-east-1", endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x")
        cluster_id = client.run_job_flow(**request(bash("false"), keep_alive=True))["JobFlowId"]
        assert client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "WAITING"
        assert not list((home / "clusters").iterdir())
