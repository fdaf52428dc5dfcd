"""Reads clusters. EMR's irregular answers (s3n://, newest step first, absent members) are normalised here.

`observe` finds the active cluster of a flow by its tags, `describe` reads one by its id. Everything else
uses the values made here, and no raw answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import aws_hint, command_line
from flowspec.backend.aws.live import read_live, s3_uri, step_config
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError, NothingFound, ServiceError
from flowspec.facts.limits import MAX_STEPS_LISTED, TAG_VALUE
from flowspec.facts.states import ACTIVE_STEPS, ENDED, OPEN
from flowspec.plan.cluster import (
    FLOW_TAG,
    RIVAL_TAG,
    SOURCE_TAG,
    SUBMISSION_TAG,
    TARGET_TAG,
    Cluster,
    Live,
    Step,
    age,
)

# EMR keeps the metadata of ended clusters for two months (EMR Management Guide, "View cluster status and details").
LOOKBACK = timedelta(days=60)
_PERIODS = (timedelta(days=1), timedelta(days=7), LOOKBACK)
# The limit keeps a plan from sending one call for each cluster of an account.
_LOOKED_AT = 20
# A tag holds the end of the source, with "@" and 12 digits of a commit.
_SHORTEST = TAG_VALUE.most - 13
CLOCK_SKEW = timedelta(minutes=10)
"""A margin for CreatedAfter and CreatedBefore, since EMR's clock may differ from this machine's."""


def describe(
    emr: Emr,
    cluster_id: str,
    *,
    steps: bool = True,
    awaited: Collection[str] | None = None,
    seen: Iterable[Step] = (),
) -> Cluster:
    """Reads a cluster, with its steps unless `steps` is false (DescribeCluster, ListSteps).

    The steps with the ids `awaited`, and those that were `seen` at an earlier look, are there, too, where EMR no longer
    lists them: a thousand may have been added since. They are read (DescribeStep), unless they were seen to have ended.
    Raises FlowspecError when there is no such cluster or step.
    """
    raw = _describe_raw(emr, cluster_id)
    listed = {item["Id"]: _step(item) for item in _history(emr, cluster_id)} if steps else {}
    before = {one.id: one if one.has_ended else None for one in seen}
    hidden = [one for one in dict.fromkeys((*before, *(awaited or ()))) if one not in listed]
    earlier = [before.get(one) or describe_step(emr, cluster_id, one) for one in hidden]
    return _cluster(raw, (*earlier, *listed.values()))


def _history(emr: Emr, cluster_id: str) -> list[dict[str, Any]]:
    """Returns the steps of a cluster as ListSteps shows them, oldest first: the latest thousand, and the active ones.

    EMR lists no more than a thousand; another endpoint could list ten thousand steps on 200 pages. Where several steps
    may run at once, one that runs long is older than a thousand others.
    """
    # ListSteps gives the newest first.
    latest = list(islice(emr.pages("ListSteps", "Steps", ClusterId=cluster_id), MAX_STEPS_LISTED))[::-1]
    if len(latest) < MAX_STEPS_LISTED:
        return latest
    known, oldest = {one["Id"] for one in latest}, _step(latest[0])
    active = _list_in(emr, cluster_id, ACTIVE_STEPS)
    # One that has been added between the two calls is newer.
    return [*(one for one in active if one["Id"] not in known and not _is_newer(_step(one), oldest)), *latest]


def _is_newer(step: Step, other: Step) -> bool:
    return bool(step.created and other.created and step.created > other.created)


def steps_in(emr: Emr, cluster_id: str, states: Iterable[str]) -> list[Step]:
    """Returns the steps of a cluster that are in one of these states, in the order in which they were added."""
    return [_step(item) for item in _list_in(emr, cluster_id, states)]


def _list_in(emr: Emr, cluster_id: str, states: Iterable[str]) -> Iterator[dict[str, Any]]:
    # Filtered by state, ListSteps gives the oldest first (API reference).
    return islice(emr.pages("ListSteps", "Steps", ClusterId=cluster_id, StepStates=list(states)), MAX_STEPS_LISTED)


def describe_step(emr: Emr, cluster_id: str, step_id: str) -> Step:
    """Reads one step. Raises NothingFound when the cluster has no such step."""
    return _step(_describe_step_raw(emr, cluster_id, step_id))


def _describe_step_raw(emr: Emr, cluster_id: str, step_id: str) -> dict[str, Any]:
    try:
        raw: dict[str, Any] = emr.call("DescribeStep", ClusterId=cluster_id, StepId=step_id)["Step"]
    except ServiceError as error:
        if error.code != "InvalidRequestException":
            raise
        remedy = f"`{command_line('status', emr, cluster_id)}` shows its steps"
        raise NothingFound(f"cluster {cluster_id} has no step {step_id}", remedy=remedy) from error
    return raw


def last_activity(emr: Emr, cluster: Cluster) -> datetime | None:
    """Returns when the last step ended, else when the cluster was ready or created; None while a step is not done.

    The cluster's state does not show this: EMR leaves it WAITING for some seconds after a step was added
    (Yelp/mrjob#2189). Only the latest page of steps is read, since the step that ended last is among them.
    """
    latest = [_step(item) for item in emr.call("ListSteps", ClusterId=cluster.id).get("Steps", ())]
    if not all(step.has_ended for step in latest):
        return None
    return max((step.ended for step in latest if step.ended), default=cluster.ready or cluster.created)


def _describe_raw(emr: Emr, cluster_id: str) -> dict[str, Any]:
    try:
        raw: dict[str, Any] = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"]
    except ServiceError as error:
        # EMR's "not found": InvalidRequestException "Cluster id 'j-…' is not valid."
        if error.code in {"InvalidRequestException", "ClusterNotFound"}:
            account = emr.account()
            where = emr.backend.location(emr.region) + (f" of account {account}" if account else "")
            hint = aws_hint(emr) or "an id is known in its own account and region only: see --profile and --region"
            remedy = f"`{command_line('list', emr)}` shows the active clusters there; {hint}"
            raise NothingFound(f"there is no cluster {cluster_id} in {where}", remedy=remedy) from error
        raise
    return raw


def observe(emr: Emr, jobflow: JobFlow) -> Cluster | None:
    """Returns the active cluster of a flow on its target, read back to be compared; the earliest of several.

    Sends ListClusters once for 50 active clusters, DescribeCluster for each of the flow's name, and the five calls of
    `read_live` and ListSteps for the one that is found: 7 calls if one matches.
    """
    return observe_named(emr, jobflow)[0]


def observe_named(emr: Emr, jobflow: JobFlow) -> tuple[Cluster | None, list[Cluster]]:
    """Returns the result of `observe`, and the other active clusters with the flow's name, oldest first.

    Sends no more calls than `observe`, which also has to describe these clusters to read their tags.
    """
    described = [_describe_raw(emr, one.id) for one in active_named(emr, jobflow.cluster_name)]
    ours = [raw for raw in described if _cluster(raw).is_of(jobflow.name, jobflow.target)]
    namesakes = [_cluster(raw) for raw in described if raw not in ours]
    if not ours:
        return None, namesakes
    return replace(_read_back_cluster(emr, ours[0]), others=tuple(one["Id"] for one in ours[1:])), namesakes


def read_back(emr: Emr, cluster_id: str, *, steps: bool = True) -> Cluster:
    """Reads a cluster as the request that would have made it, with its steps unless `steps` is false.

    Raises FlowspecError when there is no such cluster.
    """
    return _read_back_cluster(emr, _describe_raw(emr, cluster_id), steps=steps)


def _read_back_cluster(emr: Emr, raw: Mapping[str, Any], *, steps: bool = True) -> Cluster:
    listed = _history(emr, raw["Id"]) if steps else []
    return replace(_cluster(raw, tuple(map(_step, listed))), live=read_live(emr, raw, listed))


def read_steps(emr: Emr, cluster_id: str, awaited: Iterable[str] = ()) -> Cluster:
    """Reads a cluster, its steps and how many may run at once, to add steps; `awaited` are ids, as in `describe`."""
    raw = _describe_raw(emr, cluster_id)
    latest = _history(emr, cluster_id)
    known = {one["Id"] for one in latest}
    listed = [*(_describe_step_raw(emr, cluster_id, one) for one in awaited if one not in known), *latest]
    level = raw.get("StepConcurrencyLevel", 1)
    live = Live({"StepConcurrencyLevel": level, "Steps": [step_config(item) for item in listed]})
    return replace(_cluster(raw, tuple(map(_step, listed))), live=live)


def find_active(emr: Emr, flow: str, target: str, *, name: str) -> list[Cluster]:
    """Returns the active clusters that flowspec made for this flow and target, oldest first.

    ClusterSummary holds no tags, so the clusters' `name` (the flow's, unless `api_params` gives another)
    narrows the search before each candidate is described.
    """
    return list(_filter_by_flow(emr, flow, target, active_named(emr, name)))


def find_created(emr: Emr, flow: str, target: str, *, name: str, after: datetime) -> list[Cluster]:
    """Returns the clusters made for this flow and target since `after`, oldest first, whether they ended or not."""
    return list(_filter_by_flow(emr, flow, target, _clusters_named(emr, name, created_after=after)))


def find_ended(emr: Emr, flow: str, target: str, *, name: str) -> Cluster | None:
    """Returns the newest cluster of a flow that ended within LOOKBACK; None if there is none.

    It skips a cluster that was terminated because a simultaneous `apply` was earlier.
    """
    for candidates in _ended_named(emr, name):
        made = _filter_by_flow(emr, flow, target, reversed(candidates))
        if found := next((one for one in made if RIVAL_TAG not in one.tags), None):
            return found
    return None


def find_ending(emr: Emr, flow: str, target: str, *, name: str) -> Cluster | None:
    """Returns a TERMINATING cluster of this flow and target, neither active nor ended; None if there is none."""
    made = _filter_by_flow(emr, flow, target, ending_named(emr, name))
    return next((one for one in made if RIVAL_TAG not in one.tags), None)


def find_last(emr: Emr, flow: str, target: str, *, name: str) -> Cluster | None:
    """Returns the cluster of this flow and target that is TERMINATING, else the one of `find_ended`."""
    # In this order: if the cluster ends between the two calls, the second finds it.
    return find_ending(emr, flow, target, name=name) or find_ended(emr, flow, target, name=name)


def _filter_by_flow(emr: Emr, flow: str, target: str, candidates: Iterable[Cluster]) -> Iterator[Cluster]:
    """Yields those of the candidates that have the tags of this flow on this target, with their tags."""
    described = (describe(emr, one.id, steps=False) for one in candidates)
    return (one for one in described if one.is_of(flow, target))


def active_named(emr: Emr, name: str) -> list[Cluster]:
    """Returns the active clusters of this name, oldest first, as ListClusters describes them."""
    return _clusters_named(emr, name, OPEN)


def ending_named(emr: Emr, name: str) -> list[Cluster]:
    """Returns the clusters of this name that are TERMINATING, the newest first. On AWS that may take minutes."""
    return _clusters_named(emr, name, ["TERMINATING"])[::-1]


def _clusters_named(emr: Emr, name: str, states: Iterable[str] = (), **period: datetime) -> list[Cluster]:
    """Returns the clusters of this name among the `summaries` of these states and this period, oldest first."""
    return sorted((one for one in summaries(emr, states, **period) if one.name == name), key=age)


def ended_named(emr: Emr, name: str) -> Cluster | None:
    """Returns the cluster of this name that was created last, of those that ended within LOOKBACK."""
    return next((found[-1] for found in _ended_named(emr, name)), None)


def _ended_named(emr: Emr, name: str, *, until: datetime | None = None) -> Iterator[list[Cluster]]:
    """Yields the ended clusters of this name, the latest period first; periods without one are left out.

    ListClusters can't filter by name, and returns 50 clusters per page in no defined order. The last day is usually
    enough, so the search need not read all clusters of two months. `until`: only those created before it.
    """
    end = until or datetime.now(timezone.utc)
    before = until or end + CLOCK_SKEW
    for age_limit in _PERIODS:
        after = end - age_limit
        if found := _clusters_named(emr, name, sorted(ENDED), created_after=after, created_before=before):
            yield found
        before = after


def earlier_runs(emr: Emr, cluster: Cluster) -> Iterator[Cluster]:
    """Yields the ended clusters that ran the flow of `cluster` on its target before it did, newest first.

    They include their steps. Flow and target are read from tags; a cluster without these tags is compared with others
    of its name without them. At most `_LOOKED_AT` clusters of the name are read. Raises ServiceError when EMR refuses.
    """
    names = chain.from_iterable(map(reversed, _ended_named(emr, cluster.name, until=cluster.created)))
    for one in islice((one for one in names if one.id != cluster.id), _LOOKED_AT):
        tags = describe(emr, one.id, steps=False).tags
        if all(tags.get(tag) == cluster.tags.get(tag) for tag in (FLOW_TAG, TARGET_TAG)) and RIVAL_TAG not in tags:
            yield describe(emr, one.id)


def find_from_source(emr: Emr, source: Callable[[], str], *, flow: str, target: str) -> list[Cluster]:
    """Returns the active clusters that were started from this file on this target for flows of other names.

    `source` returns what is in the tag `flowspec:source`: path@commit, or a path; it runs git, and is called when there
    is a cluster to compare. Of many active clusters only the newest are
    described. Empty when EMR can't be asked: it is for a note.
    """
    try:
        newest = sorted(summaries(emr, OPEN), key=age)[-_LOOKED_AT:]
        found = [describe(emr, one.id, steps=False) for one in newest]
    except FlowspecError:
        return []
    if not found:
        return []
    path = _path_of(source())
    return [
        one
        for one in found
        if _path_of(one.tags.get(SOURCE_TAG, "")) == path
        and one.tags.get(TARGET_TAG, "") == target
        and one.tags.get(FLOW_TAG, flow) != flow
    ]


def _path_of(source: str) -> str:
    """Returns the path in the tag `flowspec:source`, as far as a tag holds it."""
    return re.sub(r"@[0-9a-f]{7,40}$", "", source)[-_SHORTEST:]


def find_namesakes(emr: Emr, name: str, *, flow: str, target: str) -> list[Cluster]:
    """Returns the active clusters of this name without the tags of this flow on this target, oldest first.

    Only their owner may change them; they are returned for a note. Empty when EMR can't be asked.
    """
    try:
        found = [describe(emr, one.id, steps=False) for one in active_named(emr, name)]
    except FlowspecError:
        return []
    return [one for one in found if not one.is_of(flow, target)]


def submitted_as(emr: Emr, name: str, submission: str, *, after: datetime) -> Cluster | None:
    """Returns the cluster with this submission's tag, in any state: it may have failed already."""
    for summary in summaries(emr, created_after=after):
        if summary.name == name:
            cluster = describe(emr, summary.id, steps=False)
            if cluster.tags.get(SUBMISSION_TAG) == submission:
                return cluster
    return None


def summaries(
    emr: Emr,
    states: Iterable[str] = (),
    *,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Iterator[Cluster]:
    """Yields clusters as ListClusters describes them (no tags, no steps); in these `states`, or all."""
    given = {"ClusterStates": list(states), "CreatedAfter": created_after, "CreatedBefore": created_before}
    filters = {name: value for name, value in given.items() if value}
    for raw in emr.pages("ListClusters", "Clusters", **filters):
        yield _cluster(raw)


def _cluster(raw: Mapping[str, Any], steps: tuple[Step, ...] = ()) -> Cluster:
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
        log_uri=s3_uri(raw.get("LogUri", "")),
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
