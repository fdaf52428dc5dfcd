"""The plan right after an apply is empty, field by field, for any request."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from flowspec.backend.aws.apply import apply
from flowspec.errors import ServiceError
from flowspec.facts.api_model import problems
from flowspec.plan.cluster import DIGEST_TAG
from tests.plan.conftest import observed, planned
from tests.plan.random_requests import Requests, members

# FLOWSPEC_PHANTOM_COUNT=10000 is the slow run.
COUNT = int(os.environ.get("FLOWSPEC_PHANTOM_COUNT", "500"))
PARTS = 4


def second_plan(emr, params):
    """The plan after an apply of the same request, without what the digest in the tags would say."""
    applied = apply(planned(params), emr, sleep=lambda _: None)
    cluster = observed(emr, applied.cluster_id)
    return planned(params, replace(cluster, tags={**cluster.tags, DIGEST_TAG: "of another request"}))


@pytest.mark.parametrize("part", range(PARTS))
def test_no_difference_after_an_apply(emr, part):
    requests, seen, covered = Requests(part), Counter(), set()
    while seen["made"] < COUNT // PARTS:
        params = requests.draw()
        assert problems(params) == []
        try:
            after = second_plan(emr, params)
        except ServiceError as refused:
            seen[refused.message] += 1
            continue
        seen["made"] += 1
        covered.update(members(params))
        assert [(one.address, one.before, one.after) for one in after.changes] == []
        assert after.calls == ()
        emr.call("SetTerminationProtection", JobFlowIds=[after.joins], TerminationProtected=False)
        emr.call("TerminateJobFlows", JobFlowIds=[after.joins])
        emr.put_in_state(after.joins, "TERMINATED")
    assert seen["made"] > 0.7 * seen.total(), seen.most_common(8)
    assert len(covered) > 200
