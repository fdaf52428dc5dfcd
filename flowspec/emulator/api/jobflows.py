"""DescribeJobFlows, which AWS deprecated and users of boto 2 still call, from the calls that replaced it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from flowspec.emulator.api import clusters, groups, steps
from flowspec.emulator.api.calls import Call, Operation, Params
from flowspec.emulator.errors import validation
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record
from flowspec.facts import states
from flowspec.facts.job_flows import (
    KNOWN_SECONDS,
    MAX_JOB_FLOWS,
    RECENT_SECONDS,
    STATES_NOW,
    job_flow,
    job_flow_state,
)


def describe_job_flows(call: Call, params: Params) -> Answer:
    """Answers DescribeJobFlows: those that match all of the parameters, of the last two months; newest first."""
    after, before = params.get("CreatedAfter"), params.get("CreatedBefore")
    if after is not None and before is not None and after >= before:
        raise validation("CreatedAfter must be earlier than CreatedBefore.")
    wanted = params.get("JobFlowStates")
    since = max(after or 0.0, call.now - KNOWN_SECONDS)
    if params.get("JobFlowIds"):
        named = sorted(call.job_flows(params["JobFlowIds"]), key=lambda cluster: -cluster.seq)
        found: Iterable[Record] = (cluster for cluster in named if _is_created_between(cluster, since, before))
    else:
        found = _newest_first(call, wanted, since, before)
    if not params:
        found = (cluster for cluster in found if _is_recent(cluster, call.now))
    chosen = (cluster for cluster in found if not wanted or _state(cluster) in wanted)
    return {"JobFlows": [_job_flow(call, cluster) for cluster in islice(chosen, MAX_JOB_FLOWS)]}


def _newest_first(
    call: Call, job_flow_states: Iterable[str] | None, since: float, before: float | None
) -> Iterator[Record]:
    """Yields clusters created between two times (in seconds since 1970; the later may be None), newest first.

    They have one of the cluster states of `job_flow_states` (None: any). They are read as the caller takes them, since
    a home may have many more than an answer.
    """
    find = partial(call.store.find, "cluster", region=call.known_region, created_after=since, created_before=before)
    wanted = [STATES_NOW.get(state, state) for state in job_flow_states or ()] or None
    last = None
    while found := find(states=wanted, before_seq=last, newest_first=True, limit=MAX_JOB_FLOWS):
        yield from found
        last = found[-1].seq


def _is_created_between(cluster: Record, since: float, before: float | None) -> bool:
    return since <= cluster.created and (before is None or cluster.created <= before)


def _is_recent(cluster: Record, now: float) -> bool:
    age = now - cluster.created
    return age <= RECENT_SECONDS or (cluster.state in states.ALIVE and age <= KNOWN_SECONDS)


def _state(cluster: Record) -> str:
    return job_flow_state(cluster.state, cluster.doc["reason"])


def _job_flow(call: Call, cluster: Record) -> Answer:
    described = clusters.describe_cluster(call, {"ClusterId": cluster.id})["Cluster"]
    answer = job_flow(described, partial(_read_all_pages, call))
    request = cluster.doc["request"]
    if "HadoopVersion" in request["Instances"]:
        answer["Instances"]["HadoopVersion"] = request["Instances"]["HadoopVersion"]
    return {**answer, "SupportedProducts": request.get("SupportedProducts", [])}


def _read_all_pages(call: Call, operation: str, member: str, **params: Any) -> Iterator[Answer]:
    """Yields the items of all pages of a list."""
    while True:
        answer = _LISTS[operation](call, params)
        yield from answer[member]
        if "Marker" not in answer:
            return
        params["Marker"] = answer["Marker"]


_LISTS = {**clusters.OPERATIONS, **groups.OPERATIONS, **steps.OPERATIONS}
OPERATIONS: dict[str, Operation] = {"DescribeJobFlows": describe_job_flows}
