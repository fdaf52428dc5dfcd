"""Which clusters are found, and that looking for one has a bound."""

from datetime import datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.observe import LOOKBACK, active_named, ended_named, find_active, find_ended
from flowspec.backend.aws.submission.apply import apply
from tests.backend.aws.submission.test_apply import PLAN


class Noting:
    """A connection that keeps the parameters of each List call."""

    def __init__(self, emr):
        self._emr, self.listed = emr, []

    def __getattr__(self, name):
        return getattr(self._emr, name)

    def pages(self, operation, member, **params):
        self.listed.append((operation, params))
        return self._emr.pages(operation, member, **params)


@pytest.fixture
def noting(emr):
    return Noting(emr)


def end(emr, cluster_id):
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])


def test_the_latest_that_ended_is_found(noting):
    for _ in range(2):
        last = apply(PLAN, noting).cluster_id
        end(noting, last)
    assert find_active(noting, "nightly", "prod", name="nightly") == []
    assert find_ended(noting, "nightly", "prod", name="nightly").id == last
    assert ended_named(noting, "nightly").id == last


def test_what_lost_against_another_apply_is_not_the_flow_s_last_run(noting):
    first = apply(PLAN, noting).cluster_id
    end(noting, first)
    rival = apply(PLAN, noting).cluster_id
    noting.call("AddTags", ResourceId=rival, Tags=[{"Key": "flowspec:rival", "Value": first}])
    end(noting, rival)
    assert find_ended(noting, "nightly", "prod", name="nightly").id == first


def test_nothing_is_looked_for_without_a_bound(noting):
    assert find_ended(noting, "nightly", "prod", name="nightly") is None
    assert ended_named(noting, "nightly") is None
    assert active_named(noting, "nightly") == []
    oldest = datetime.now(timezone.utc) - LOOKBACK - timedelta(minutes=1)
    assert len(noting.listed) >= 3
    for operation, params in noting.listed:
        assert operation == "ListClusters"
        assert params.get("CreatedAfter", datetime.now(timezone.utc)) >= oldest
        assert "CreatedAfter" in params or "TERMINATED" not in params["ClusterStates"]


def test_a_recent_one_is_found_by_one_look(noting):
    end(noting, apply(PLAN, noting).cluster_id)
    noting.listed.clear()
    assert ended_named(noting, "nightly")
    assert len(noting.listed) == 1
