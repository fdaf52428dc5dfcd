"""A cluster of someone else's becomes the spec's own; afterwards its plan is empty, or changes it in place."""

import pytest

from flowspec import FlowspecError, adopt, apply, describe, import_cluster, observe, plan_adoption, plan_on
from flowspec.backend.aws.submission.lock import locked
from flowspec.errors import Locked
from flowspec.plan.cluster import DIGEST_TAG, FLOW_TAG, LOCK_TAG
from tests.backend.aws.manage.conftest import no_sleep, spec
from tests.plan.test_converge import GROUPS as REQUEST

THEIRS = {**REQUEST, "Name": "live", "Tags": [{"Key": "team", "Value": "search"}]}


def made_by_others(emr, **members):
    return emr.create("RunJobFlow", **{**THEIRS, **members})["JobFlowId"]


def imported(emr, cluster_id, flow_of):
    return flow_of(import_cluster(emr, cluster_id).text)


def test_an_imported_spec_and_then_the_plan_is_empty(emr, flow_of):
    cluster_id = made_by_others(emr)
    flow, request = imported(emr, cluster_id, flow_of)
    assert observe(emr, flow) is None, "it is not ours yet"
    assert not plan_adoption(emr, cluster_id, flow, request).is_done
    emr.seen.clear()
    adopted = adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert adopted.is_done
    assert set(emr.seen) & {"ModifyInstanceGroups", "RunJobFlow", "TerminateJobFlows"} == set(), "nothing but tags"
    plan = plan_on(emr, flow, request)
    assert (plan.joins, plan.changes, plan.calls) == (cluster_id, (), ())
    tags = describe(emr, cluster_id).tags
    assert (tags[FLOW_TAG], tags["team"], tags[DIGEST_TAG]) == ("live", "search", request.digest)
    assert LOCK_TAG not in tags
    again = adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert again.plan.changes == ()


def test_what_differs_in_place_is_left_for_the_next_apply(emr, flow_of):
    cluster_id = made_by_others(emr)
    text = import_cluster(emr, cluster_id).text.replace("team: search", "team: ads")
    flow, request = flow_of(text)
    adopted = adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert [one.address for one in adopted.plan.changes] == ["tags.team"]
    assert DIGEST_TAG not in describe(emr, cluster_id).tags, "it was not made from this request"
    apply(plan_on(emr, flow, request), emr, sleep=no_sleep)
    assert describe(emr, cluster_id).tags["team"] == "ads"
    assert plan_on(emr, flow, request).changes == ()


def test_what_only_a_new_cluster_could_have_is_refused(emr, flow_of):
    cluster_id = made_by_others(emr)
    text = import_cluster(emr, cluster_id).text.replace("emr-7.5.0", "emr-7.1.0")
    flow, request = flow_of(text)
    with pytest.raises(FlowspecError, match=r"can't change: release_label$") as refused:
        adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert refused.value.remedy.endswith(f"flowspec import {cluster_id}")
    assert FLOW_TAG not in describe(emr, cluster_id).tags


def test_its_steps_are_known_and_new_ones_are_added(emr, flow_of):
    run = {"Jar": "command-runner.jar", "Args": ["true"]}
    cluster_id = made_by_others(emr, Steps=[{"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}])
    text = import_cluster(emr, cluster_id).text
    two = "  - {name: two, type: command, args: ['true'], on_failure: CONTINUE}"
    flow, request = flow_of(text.replace("steps:\n", f"steps:\n{two}\n"))
    adopted = adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert [one.after for one in adopted.plan.changes if "two" in one.address]
    apply(plan_on(emr, flow, request), emr, sleep=no_sleep)
    assert [one.name for one in describe(emr, cluster_id).steps] == ["one", "two"]


def test_another_flows_cluster_is_refused(emr, started, flow_of):
    cluster_id = started(name="other")
    flow, request = flow_of(spec())
    with pytest.raises(FlowspecError, match="belongs to flow other") as refused:
        adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert "remove its tag" in refused.value.remedy


def test_another_name_is_refused_with_the_remedy(emr, flow_of):
    cluster_id = made_by_others(emr, Name="theirs")
    flow, request = flow_of(spec())
    with pytest.raises(FlowspecError, match="is called 'theirs', but the spec's clusters are called 'live'") as refused:
        adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert "name: theirs" in refused.value.remedy


def test_a_flow_has_one_cluster(emr, started, flow_of):
    first, second = started(), made_by_others(emr)
    flow, request = imported(emr, second, flow_of)
    with pytest.raises(FlowspecError, match=f"has a cluster already: {first}"):
        adopt(emr, second, flow, request, sleep=no_sleep)


def test_an_ended_cluster_is_refused(emr, flow_of):
    cluster_id = made_by_others(emr)
    flow, request = imported(emr, cluster_id, flow_of)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    with pytest.raises(FlowspecError, match="can't be adopted"):
        adopt(emr, cluster_id, flow, request, sleep=no_sleep)


def test_another_changes_it(emr, flow_of):
    cluster_id = made_by_others(emr)
    flow, request = imported(emr, cluster_id, flow_of)
    with locked(emr, cluster_id, sleep=no_sleep), pytest.raises(Locked):
        adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert FLOW_TAG not in describe(emr, cluster_id).tags


def test_what_emr_never_shows_is_not_claimed(emr, flow_of):
    cluster_id = made_by_others(emr)
    text = import_cluster(emr, cluster_id).text + "\nadditional_info: '{}'\n"
    flow, request = flow_of(text)
    adopted = adopt(emr, cluster_id, flow, request, sleep=no_sleep)
    assert adopted.plan.changes == ()
    assert any("additional_info: EMR never shows it" in note for note in adopted.plan.notes)
