"""Groups that nothing tells apart: after a lost answer there are as many as were asked for, never more."""

import pytest

from flowspec.backend.aws.call_errors import OutcomeUnknown
from flowspec.backend.aws.submission.change import add
from tests.plan.conftest import GROUPS, TASK, emr, running  # noqa: F401 - a fixture


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
