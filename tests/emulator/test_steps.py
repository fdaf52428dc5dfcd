from __future__ import annotations

import pytest

from flowspec.emulator.api.service import EmrError
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import bash


def put_step(emr, step_id, state):
    with Store(emr.home) as store, store.writing():
        step = store.get("step", step_id)
        step.state = state
        store.save(step)


def test_a_step_is_read_back_as_emr_spells_it(still):
    step = {
        "Name": "count",
        "ActionOnFailure": "TERMINATE_JOB_FLOW",
        "HadoopJarStep": {
            "Jar": "s3://b/x.jar",
            "MainClass": "com.acme.Main",
            "Args": ["--a", ""],
            "Properties": [{"Key": "k", "Value": "v"}, {"Key": "empty"}],
        },
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": "s3://l/", "EncryptionKeyArn": "arn"}},
    }
    role = "arn:aws:iam::1:role/runtime"
    cluster_id = still.run(step, StepExecutionRoleArn=role)
    summary = still.steps(cluster_id)[0]
    assert summary["Config"] == {
        "Jar": "s3://b/x.jar",
        "MainClass": "com.acme.Main",
        "Args": ["--a", ""],
        "Properties": {"k": "v", "empty": ""},
    }
    assert summary["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert (summary["LogUri"], summary["EncryptionKeyArn"]) == ("s3://l/", "arn")
    assert summary["Status"]["State"] == "PENDING"
    assert set(summary["Status"]["Timeline"]) == {"CreationDateTime"}
    # The role is only told by DescribeStep.
    assert still.call("DescribeStep", ClusterId=cluster_id, StepId=summary["Id"]) == {
        "Step": {**summary, "ExecutionRoleArn": role}
    }


def test_a_step_without_an_action_ends_its_cluster(still):
    step = bash("true")
    del step["ActionOnFailure"]
    assert still.steps(still.run(step))[0]["ActionOnFailure"] == "TERMINATE_CLUSTER"


def test_added_steps_come_back_by_their_ids_in_order(still):
    cluster_id = still.run(bash("true", name="first"))
    added = still.add(cluster_id, bash("true", name="second"), bash("true", name="third"))
    assert [step["Id"] for step in still.steps(cluster_id)][1:] == added
    assert [step["Name"] for step in still.steps(cluster_id)] == ["first", "second", "third"]
    assert all(step_id.startswith("s-") for step_id in added)


@pytest.mark.parametrize("state", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])
def test_steps_are_added_in_every_open_state(still, state):
    cluster_id = still.run()
    still.put_in_state(cluster_id, state)
    assert len(still.add(cluster_id, bash("true"))) == 1


def test_256_steps_may_be_active(still):
    cluster_id = still.run(*[bash("true")] * 256)
    with pytest.raises(EmrError, match="Maximum number of active steps"):
        still.add(cluster_id, bash("true"))
    put_step(still, still.steps(cluster_id)[0]["Id"], "COMPLETED")
    assert len(still.add(cluster_id, bash("true"))) == 1


def test_only_continue_may_be_added_while_several_steps_run_at_once(still):
    cluster_id = still.run(StepConcurrencyLevel=2)
    with pytest.raises(EmrError, match="ActionOnFailure setting is not valid"):
        still.add(cluster_id, bash("true", "CANCEL_AND_WAIT"))
    assert len(still.add(cluster_id, bash("true", "CONTINUE"))) == 1


def test_steps_are_listed_newest_first_fifty_on_a_page(still):
    cluster_id = still.run(*(bash("true", name=str(number)) for number in range(120)))
    pages = still.pages("ListSteps", "Steps", ClusterId=cluster_id)
    assert [len(page) for page in pages] == [50, 50, 20]
    assert [step["Name"] for page in pages for step in page] == [str(number) for number in reversed(range(120))]


def test_steps_asked_for_by_state_or_id_are_listed_in_order(still):
    cluster_id = still.run(*(bash("true", name=str(number)) for number in range(4)))
    ids = [step["Id"] for step in still.steps(cluster_id)]
    put_step(still, ids[1], "COMPLETED")

    def names(**conditions):
        return [step["Name"] for step in still.call("ListSteps", ClusterId=cluster_id, **conditions)["Steps"]]

    assert names(StepStates=["PENDING"]) == ["0", "2", "3"]
    assert names(StepStates=["COMPLETED"]) == ["1"]
    assert names(StepIds=[ids[3], ids[0], ids[3]]) == ["3", "0", "3"]
    assert names(StepIds=[]) == ["3", "2", "1", "0"]
    for both in ({"StepIds": ids, "StepStates": ["COMPLETED"]}, {"StepIds": [], "StepStates": []}):
        with pytest.raises(EmrError, match="Cannot specify both StepIds and StepStates") as caught:
            names(**both)
        assert caught.value.code == "InvalidRequestException"


def test_pages_of_steps_by_state_go_on_in_order(still):
    cluster_id = still.run(*(bash("true", name=str(number)) for number in range(60)))
    first = still.call("ListSteps", ClusterId=cluster_id, StepStates=["PENDING"])
    rest = still.call("ListSteps", ClusterId=cluster_id, StepStates=["PENDING"], Marker=first["Marker"])
    assert [step["Name"] for step in first["Steps"] + rest["Steps"]] == [str(number) for number in range(60)]


def test_ten_step_ids_at_most_are_asked_for(still):
    with pytest.raises(EmrError, match="At most 10 step ids"):
        still.call("ListSteps", ClusterId=still.run(), StepIds=[f"s-{number}" for number in range(11)])


def test_a_step_of_another_cluster_is_not_there(still):
    first, second = still.run(bash("true")), still.run()
    step_id = still.steps(first)[0]["Id"]
    for operation, params in (("DescribeStep", {"StepId": step_id}), ("ListSteps", {"StepIds": [step_id]})):
        with pytest.raises(EmrError) as caught:
            still.call(operation, ClusterId=second, **params)
        assert caught.value.message == f"Step id '{step_id}' is not valid."
        assert caught.value.code == "InvalidRequestException"


def test_cancelling_pending_running_and_ended_steps(still):
    cluster_id = still.run(bash("true"), bash("true"), bash("true"))
    done, running, pending = ids = [step["Id"] for step in still.steps(cluster_id)]
    put_step(still, done, "COMPLETED")
    put_step(still, running, "RUNNING")
    answer = still.call("CancelSteps", ClusterId=cluster_id, StepIds=ids)
    assert answer["CancelStepsInfoList"] == [
        {"StepId": done, "Status": "FAILED", "Reason": "Cannot cancel a step that is COMPLETED."},
        {"StepId": running, "Status": "SUBMITTED"},
        {"StepId": pending, "Status": "SUBMITTED"},
    ]
    assert still.step_states(cluster_id) == ["COMPLETED", "CANCEL_PENDING", "CANCELLED"]
