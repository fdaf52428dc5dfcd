"""DescribeJobFlows from the calls that replaced it, for an endpoint or an SDK that no longer has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, TypeAlias

from flowspec.backend.aws.client import Emr
from flowspec.boto_emr.handler import ISO8601
from flowspec.facts.job_flows import KNOWN_SECONDS, MAX_JOB_FLOWS, RECENT_SECONDS, STATES_NOW, job_flow
from flowspec.facts.states import OPEN

_Answer: TypeAlias = "dict[str, Any]"


def describe_job_flows(emr: Emr, params: Mapping[str, Any]) -> _Answer:
    """Returns what DescribeJobFlows would answer, newest first. Raises ServiceError as the calls it makes."""
    wanted = params.get("JobFlowStates")
    found: Iterable[_Answer] = (
        job_flow(emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"], emr.pages)
        for cluster_id in _list_job_flow_ids(emr, params)
    )
    if params.get("JobFlowIds"):
        found = sorted((flow for flow in found if _in_time(flow, params)), key=_created, reverse=True)
    kept = (flow for flow in found if not wanted or flow["ExecutionStatusDetail"]["State"] in wanted)
    return {"JobFlows": list(islice(kept, MAX_JOB_FLOWS))}


def _created(flow: _Answer) -> datetime:
    created: datetime = flow["ExecutionStatusDetail"]["CreationDateTime"]
    return created


def _in_time(flow: _Answer, params: Mapping[str, Any]) -> bool:
    # Times are written in one form, in which the earlier text is the earlier time.
    created = _created(flow).astimezone(timezone.utc).strftime(ISO8601)
    return bool(params.get("CreatedAfter", "") <= created <= params.get("CreatedBefore", "9"))


def _list_job_flow_ids(emr: Emr, params: Mapping[str, Any]) -> Iterator[str]:
    if params.get("JobFlowIds"):
        yield from params["JobFlowIds"]
        return
    now = datetime.now(timezone.utc)
    query = {name: params[name] for name in ("CreatedAfter", "CreatedBefore") if name in params}
    if params.get("JobFlowStates"):
        query["ClusterStates"] = sorted({STATES_NOW.get(state, state) for state in params["JobFlowStates"]})
    known = {"CreatedAfter": now - timedelta(seconds=KNOWN_SECONDS)}
    for summary in emr.pages("ListClusters", "Clusters", **(query or known)):
        status = summary["Status"]
        age = now - status["Timeline"]["CreationDateTime"]
        if query or status["State"] in OPEN or age <= timedelta(seconds=RECENT_SECONDS):
            yield summary["Id"]
