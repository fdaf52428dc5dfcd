"""What was just made is what is wanted: whatever a request or a spec asks for, the plan after it is empty."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from flowspec.backend.aws.submission.apply import apply
from flowspec.errors import ServiceError
from flowspec.facts.api_model import problems
from flowspec.plan.cluster import DIGEST_TAG
from flowspec.plan.compare import make_plan
from tests.plan.conftest import observed, planned
from tests.plan.random_requests import Requests, members
from tests.plan.random_specs import random_spec

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
        emr.put_in_state(after.joins, "TERMINATED")
    assert seen["made"] > 0.7 * seen.total(), seen.most_common(8)
    assert len(covered) > 200


@pytest.mark.parametrize("part", range(PARTS))
def test_no_difference_after_an_apply_of_a_spec(emr, flow_of, part):
    refused = 0
    for seed in range(part, COUNT, PARTS):
        flow, request = flow_of(random_spec(seed))
        try:
            made = apply(make_plan(flow, request), emr, sleep=lambda _: None).cluster_id
        except ServiceError:
            refused += 1
            continue
        cluster = observed(emr, made)
        tags = {**cluster.tags, DIGEST_TAG: "of another request"}
        assert make_plan(flow, request, replace(cluster, tags=tags)).changes == (), seed
        emr.put_in_state(made, "TERMINATED")
    assert refused < 0.02 * COUNT
