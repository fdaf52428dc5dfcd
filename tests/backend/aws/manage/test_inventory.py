"""Lists with filters, and clusters that do nothing."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from flowspec import FlowspecError, describe, end_idle, idle_clusters, list_clusters, protect
from flowspec.backend.aws.client import Endpoint
from flowspec.facts.states import ENDED
from flowspec.report.clusters import idle_document, idle_table
from tests.backend.aws.manage.conftest import FLEETS, step
from tests.plan.conftest import GROUPS, STEP, running

NOW = datetime.now(timezone.utc)


@pytest.fixture
def five(emr):
    """Five clusters, two of which have ended."""
    made = []
    for number, team in enumerate(("search", "ads", "search", "ads", "")):
        tags = [{"Key": "team", "Value": team}] if team else []
        made.append(emr.create("RunJobFlow", **{**GROUPS, "Name": f"etl-{number}", "Tags": tags})["JobFlowId"])
    emr.call("TerminateJobFlows", JobFlowIds=made[:2])
    return made


def ids(listing):
    return [one.id for one in listing.clusters]


def test_all_filters(emr, five):
    assert ids(list_clusters(emr)) == five[2:]
    assert ids(list_clusters(emr, states=ENDED)) == five[:2]
    assert ids(list_clusters(emr, states=())) == five
    assert ids(list_clusters(emr, states=(), name="etl-[13]")) == [five[1], five[3]]
    assert ids(list_clusters(emr, states=(), tags={"team": "ads"})) == [five[1], five[3]]
    assert ids(list_clusters(emr, states=(), tags={"team": None})) == five[:4]
    hour = timedelta(hours=1)
    assert ids(list_clusters(emr, states=(), created_after=NOW - hour, created_before=NOW + hour)) == five
    assert ids(list_clusters(emr, states=(), created_after=NOW + hour)) == []
    assert ids(list_clusters(emr, states=(), created_before=NOW - hour)) == []


def test_a_limit_keeps_the_calls_few_and_is_said(emr, five):
    emr.seen.clear()
    found = list_clusters(emr, states=(), limit=2)
    assert (ids(found), found.unread) == (five[3:], 3)
    assert emr.seen == ["ListClusters", "DescribeCluster", "DescribeCluster"]


def test_a_cluster_that_is_forgotten_in_between_is_listed_all_the_same(emr, five):
    original = emr.call

    def call(operation, **params):
        if params.get("ClusterId") == five[2]:
            raise FlowspecError("there is no cluster")
        return original(operation, **params)

    emr.call = call
    assert ids(list_clusters(emr)) == five[2:]


def test_idle_clusters_of_ours(emr, started, five):
    worked, ready = started(name="worked", steps=[step("one")]), started(name="ready")
    later = NOW + timedelta(hours=10)
    found = idle_clusters(emr, now=later)
    assert [one.cluster.id for one in found] == [worked, ready], "and none of those that others made"
    ended = describe(emr, worked).steps[-1].ended
    assert (found[0].since, found[0].idle) == (ended, later - ended)
    assert found[1].since == describe(emr, ready).ready
    assert found[0].instances == {"m5.2xlarge": 1, "m5.xlarge": 3}
    hours = found[0].idle.total_seconds() / 3600
    assert found[0].instance_hours == {"m5.2xlarge": pytest.approx(hours), "m5.xlarge": pytest.approx(3 * hours)}
    assert idle_clusters(emr, at_least=timedelta(hours=11), now=later) == []


def test_what_idle_clusters_cost(emr, started):
    started(name="worked")
    started(
        name="odd",
        instance_groups=[{"role": "MASTER", "type": "m5.large"}, {"role": "CORE", "type": "x9.mega", "count": 2}],
    )
    assert [one.cost for one in idle_clusters(emr)] == [None, None], "on this machine nothing is paid"
    emr.endpoint = Endpoint("emr", "us-east-1")
    found = idle_clusters(emr, now=datetime.now(timezone.utc) + timedelta(hours=10))
    worked, odd = sorted(found, key=lambda one: one.cluster.name, reverse=True)
    # Three m5.xlarge on demand, and an m5.2xlarge on the spot market.
    low, high = 3 * 0.24 + 0.0384 + 0.096, 3 * 0.24 + 0.384 + 0.096
    assert (worked.cost.hourly.low, worked.cost.hourly.high) == pytest.approx((low, high), abs=0.07)  # and volumes
    assert worked.idle_cost.high == pytest.approx(worked.idle / timedelta(hours=1) * worked.cost.hourly.high)
    assert worked.cost.amount.high >= worked.idle_cost.high * 0.999
    assert odd.cost.hourly.low == pytest.approx(0.096, abs=0.02)
    shown = idle_table(found)
    assert re.search("INSTANCE HOURS +USD AN HOUR +USD WHILE IDLE", shown)
    assert f"  {worked.cost.hourly}" in shown
    assert f"  at least {odd.idle_cost}" in shown, shown
    assert odd.idle_cost.low == pytest.approx(10 * odd.cost.hourly.low, rel=0.01)
    assert shown.splitlines()[-1] == (
        "not in it: EMR's own price of m5.large, not among the instance types known, the price of x9.mega, "
        "not among the instance types known; `flowspec prices update --region us-east-1` reads prices from AWS"
    )
    document = idle_document(worked)["cost"]
    assert document["idle"]["high"] == round(worked.idle_cost.high, 4)
    assert document["hourly"]["high"] == round(worked.cost.hourly.high, 4)


def test_a_fleet_counts_its_instances(emr, started):
    started(instance_fleets=FLEETS)
    (idle,) = idle_clusters(emr)
    assert sum(idle.instances.values()) == 1 + 2 + 3


def test_a_clock_that_is_behind_gives_no_negative_time(emr, started):
    started()
    (idle,) = idle_clusters(emr, now=NOW - timedelta(hours=1))
    assert idle.idle == timedelta()


def test_a_cluster_that_works_is_not_idle(emr, started):
    emr.put_in_state(started(), "RUNNING")
    assert idle_clusters(emr) == []


def test_a_step_that_was_just_added_is_work(paused):
    cluster_id = running(paused, {**GROUPS, "Steps": []})
    (found,) = idle_clusters(paused)
    paused.create("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[STEP])
    # As EMR's are for some seconds after that (Yelp/mrjob#2189).
    paused.put_in_state(cluster_id, "WAITING")
    assert idle_clusters(paused) == []
    assert not end_idle(paused, found)
    assert describe(paused, cluster_id).state == "WAITING"


def test_ending_them(emr, started, flow_of):
    one, busy, kept = started(name="one"), started(name="busy"), started(name="kept")
    found = {idle.cluster.id: idle for idle in idle_clusters(emr)}
    run = {"Jar": "command-runner.jar", "Args": ["true"]}
    new = [{"Name": "new", "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}]
    emr.create("AddJobFlowSteps", JobFlowId=busy, Steps=new)
    protect(emr, kept)
    assert end_idle(emr, found[one])
    assert not end_idle(emr, found[busy]), "it has worked since"
    with pytest.raises(FlowspecError, match="is protected"):
        end_idle(emr, found[kept])
    assert not end_idle(emr, found[one]), "it has ended"
    assert [describe(emr, id_).has_ended for id_ in (one, busy, kept)] == [True, False, False]
