"""A cluster is changed when it is ready, and once: after a lost answer there is as much as was asked for, never more."""

import pytest

from flowspec.backend.aws.call_errors import OutcomeUnknown
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.submission.change import add
from flowspec.errors import FlowspecError, StalePlan
from flowspec.plan.cluster import SENSITIVE_TAG
from tests.plan.conftest import GROUPS, STEP, TASK, changed, emr, group, observed, planned, running  # noqa: F401 - a fixture


def ids(emr, cluster_id):  # noqa: F811
    listed = emr.pages("ListInstanceGroups", "InstanceGroups", ClusterId=cluster_id)
    return [one["Id"] for one in listed if one.get("Name") == TASK["Name"]]


def lose_answers(emr, monkeypatch):  # noqa: F811
    """Loses the answers of creating calls, which are carried out."""
    create = emr.create

    def lost(operation, **params):
        create(operation, **params)
        raise OutcomeUnknown(f"{operation}: no answer")

    monkeypatch.setattr(emr, "create", lost)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_equal_groups_of_one_call_are_all_found(emr, monkeypatch, number):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    lose_answers(emr, monkeypatch)
    params = {"JobFlowId": cluster_id, "InstanceGroups": [TASK] * number}
    added = add("AddInstanceGroups", params, emr, cluster_id, lambda _: None)
    # One of the name was there before.
    assert (len(set(added)), len(ids(emr, cluster_id))) == (number, number + 1)
    assert set(added) < set(ids(emr, cluster_id))


def test_an_equal_group_that_another_adds_at_the_same_time_is_taken_for_ours(emr, monkeypatch):  # noqa: F811
    """Nothing tells the two apart. Nothing is sent a second time: one too few, at worst, which the next plan adds."""
    cluster_id = running(emr, GROUPS)
    params = {"JobFlowId": cluster_id, "InstanceGroups": [TASK]}

    def never_arrives(operation, **given):
        emr.service.call(operation, given)
        raise OutcomeUnknown(f"{operation}: no answer")

    # The other's call arrives, ours does not.
    monkeypatch.setattr(emr, "create", never_arrives)
    (found,) = add("AddInstanceGroups", params, emr, cluster_id, lambda _: None)
    assert found in ids(emr, cluster_id)
    assert len(ids(emr, cluster_id)) == 2


def resized(emr, cluster_id):  # noqa: F811
    """The plan for another size of a group, and the cluster starting."""
    plan = planned(changed(GROUPS, group(1, "InstanceCount"), 5), observed(emr, cluster_id))
    emr.put_in_state(cluster_id, "STARTING")
    return plan


def test_a_size_is_changed_when_the_cluster_has_started(emr):  # noqa: F811
    cluster_id, told, waited = running(emr, GROUPS), [], []

    def wait(_):
        waited.append([one for one in emr.seen if one in ("AddTags", "ModifyInstanceGroups")])
        emr.put_in_state(cluster_id, "WAITING" if len(waited) > 1 else "BOOTSTRAPPING")

    apply(resized(emr, cluster_id), emr, notify=told.append, sleep=wait)
    assert waited == [[], []], "without the lock"
    assert [one for one in told if one.startswith("waiting")] == [
        f"waiting for cluster {cluster_id}, which is STARTING"
    ]
    assert "ModifyInstanceGroups" in emr.seen


def test_a_cluster_that_ends_while_it_is_waited_for_is_left_alone(emr):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    with pytest.raises(StalePlan, match=f"^cluster {cluster_id} is TERMINATED now"):
        apply(resized(emr, cluster_id), emr, sleep=lambda _: emr.put_in_state(cluster_id, "TERMINATED"))
    assert "AddTags" not in emr.seen


def failing_reads(emr, monkeypatch, number):  # noqa: F811
    """Makes so many reads of a cluster fail after each wait."""
    call, left = emr.call, []

    def fail(operation, **params):
        if operation == "DescribeCluster" and left:
            raise left.pop()
        return call(operation, **params)

    monkeypatch.setattr(emr, "call", fail)
    return lambda: left.extend([FlowspecError("no route to host")] * number)


def test_a_wait_for_a_cluster_goes_on_after_reads_that_fail(emr, monkeypatch):  # noqa: F811
    cluster_id, waited = running(emr, GROUPS), []
    plan, break_network = resized(emr, cluster_id), failing_reads(emr, monkeypatch, 3)

    def wait(_):
        if not waited:
            break_network()
        waited.append(None)
        emr.put_in_state(cluster_id, "WAITING")

    apply(plan, emr, sleep=wait)
    assert "ModifyInstanceGroups" in emr.seen


def test_a_wait_for_a_cluster_that_can_not_be_read_has_an_end(emr, monkeypatch):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    plan, break_network = resized(emr, cluster_id), failing_reads(emr, monkeypatch, 100)
    with pytest.raises(FlowspecError, match="no route to host"):
        apply(plan, emr, sleep=lambda _: break_network())
    assert "ModifyInstanceGroups" not in emr.seen


def test_where_secrets_are_is_tagged_before_they_get_there(emr, monkeypatch):  # noqa: F811
    cluster_id, create, tags = running(emr, GROUPS), emr.create, []
    told = {**STEP, "Name": "told", "HadoopJarStep": {**STEP["HadoopJarStep"], "Args": ["hunter2"]}}

    def create_later(operation, **params):
        tags.append(observed(emr, cluster_id).tags)
        return create(operation, **params)

    monkeypatch.setattr(emr, "create", create_later)
    wanted = changed(GROUPS, ("Steps", 1), told)
    apply(planned(wanted, observed(emr, cluster_id), secrets={"hunter2"}), emr, sleep=lambda _: None)
    assert [SENSITIVE_TAG in one for one in tags] == [True]
