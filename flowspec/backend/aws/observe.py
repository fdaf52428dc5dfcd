"""Reading what is alive. The service's quirks are straightened here, where they enter.

`find` looks for the clusters of a flow by their tags, `describe` reads one. Everything else works on
the values made here and never sees a raw answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.errors import FlowspecError, ServiceError
from flowspec.plan.cluster import ACTIVE_STATES, FLOW_TAG, SUBMISSION_TAG, TARGET_TAG, Cluster, Step, age


def describe(emr: Emr, cluster_id: str, *, steps: bool = True) -> Cluster:
    """Reads a cluster, with its steps unless `steps` is false (DescribeCluster, ListSteps).

    Raises FlowspecError when there is no such cluster.
    """
    try:
        raw = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"]
    except ServiceError as error:
        # EMR's "not found": InvalidRequestException "Cluster id 'j-…' is not valid."
        if error.code in {"InvalidRequestException", "ClusterNotFound"}:
            where = "the embedded EMR" if emr.endpoint.backend == "local" else emr.region
            remedy = "`flowspec list` shows the clusters there are"
            raise FlowspecError(f"there is no cluster {cluster_id} in {where}", remedy=remedy) from error
        raise
    listed = emr.pages("ListSteps", "Steps", ClusterId=cluster_id) if steps else ()
    # ListSteps gives the newest first.
    return _cluster(raw, tuple(_step(item) for item in listed)[::-1])


def find(
    emr: Emr,
    flow: str,
    target: str,
    *,
    name: str = "",
    ended: bool = False,
    created_after: datetime | None = None,
) -> list[Cluster]:
    """The clusters that flowspec made for this flow and target, oldest first; `ended` ones only if asked.

    With `created_after` those created since then, whether they have ended or not.

    ClusterSummary holds no tags, so the cluster's name (the flow's, unless `api_params` gives another)
    narrows the search before each candidate is described.
    """
    query: dict[str, Any] = {} if ended else {"ClusterStates": list(ACTIVE_STATES)}
    if created_after is not None:
        query = {"CreatedAfter": created_after}
    found = []
    for summary in emr.pages("ListClusters", "Clusters", **query):
        if summary["Name"] == (name or flow):
            cluster = describe(emr, summary["Id"], steps=False)
            if cluster.tags.get(FLOW_TAG) == flow and cluster.tags.get(TARGET_TAG, "") == target:
                found.append(cluster)
    return sorted(found, key=age)


def observe(emr: Emr, flow: str, target: str, *, name: str = "") -> Cluster | None:
    """The active cluster of a flow on a target, with its steps, or None. The earliest, should there be several."""
    found = find(emr, flow, target, name=name)
    return describe(emr, found[0].id) if found else None


def submitted_as(emr: Emr, name: str, submission: str, *, after: datetime) -> Cluster | None:
    """The cluster that carries this submission's tag, in whatever state: it may have failed already."""
    for summary in emr.pages("ListClusters", "Clusters", CreatedAfter=after):
        if summary["Name"] == name:
            cluster = describe(emr, summary["Id"], steps=False)
            if cluster.tags.get(SUBMISSION_TAG) == submission:
                return cluster
    return None


def summaries(emr: Emr, *, ended: bool) -> Iterator[Cluster]:
    """All clusters, as ListClusters tells of them (no tags, no steps)."""
    states = {} if ended else {"ClusterStates": [*ACTIVE_STATES, "TERMINATING"]}
    for raw in emr.pages("ListClusters", "Clusters", **states):
        yield _cluster(raw, ())


def _cluster(raw: Mapping[str, Any], steps: tuple[Step, ...]) -> Cluster:
    status = raw.get("Status", {})
    reason, timeline = status.get("StateChangeReason", {}), status.get("Timeline", {})
    return Cluster(
        id=raw["Id"],
        name=raw["Name"],
        state=status.get("State", ""),
        reason_code=reason.get("Code", ""),
        reason=reason.get("Message", ""),
        error_details=tuple(
            f"{detail.get('ErrorCode', '')}: {detail.get('ErrorMessage', '')}"
            for detail in status.get("ErrorDetails", ())
        ),
        tags={tag["Key"]: tag.get("Value", "") for tag in raw.get("Tags", ())},
        log_uri=_log_uri(raw.get("LogUri", "")),
        keep_alive=not raw.get("AutoTerminate", True),
        termination_protected=raw.get("TerminationProtected", False),
        release_label=raw.get("ReleaseLabel", ""),
        master_dns=raw.get("MasterPublicDnsName", ""),
        created=timeline.get("CreationDateTime"),
        ready=timeline.get("ReadyDateTime"),
        ended=timeline.get("EndDateTime"),
        steps=steps,
    )


def _step(raw: Mapping[str, Any]) -> Step:
    status = raw["Status"]
    failure, timeline = status.get("FailureDetails", {}), status.get("Timeline", {})
    return Step(
        id=raw["Id"],
        name=raw["Name"],
        state=status["State"],
        action_on_failure=raw.get("ActionOnFailure", ""),
        reason=failure.get("Reason", ""),
        message=failure.get("Message", ""),
        log_file=failure.get("LogFile", ""),
        jar=raw.get("Config", {}).get("Jar", ""),
        main_class=raw.get("Config", {}).get("MainClass", ""),
        args=tuple(raw.get("Config", {}).get("Args", ())),
        created=timeline.get("CreationDateTime"),
        started=timeline.get("StartDateTime"),
        ended=timeline.get("EndDateTime"),
    )


def _log_uri(uri: str) -> str:
    """EMR gives s3://b/p back as s3n://b/p/; people and boto3 know s3://."""
    scheme, separator, rest = uri.partition("://")
    return f"s3://{rest}" if separator and scheme in {"s3n", "s3a"} else uri
