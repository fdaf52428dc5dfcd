"""Plan -> a running cluster. The one place where something is created on EMR.

RunJobFlow has no client token, so exactly-once submission is built from tags: each submission carries a
unique tag; the call is sent once; if its answer is lost, the tag is searched for before the call is sent
again; and if a flow is applied twice at the same moment, the later cluster is terminated in favour of the
earlier. On this machine submissions are serialized by a lock instead, so that the later cluster never starts.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

from flowspec.backend.aws.client import Emr, OutcomeUnknown, is_throttled
from flowspec.backend.aws.observe import find, submitted_as
from flowspec.backend.aws.staging import stage
from flowspec.errors import FlowspecError, ServiceError
from flowspec.plan.changes import ApiCall, Plan
from flowspec.plan.cluster import (
    DIGEST_TAG,
    FLOW_TAG,
    RIVAL_TAG,
    SOURCE_TAG,
    SUBMISSION_TAG,
    TAG_PREFIX,
    TARGET_TAG,
    Cluster,
)

# Seconds to look for a cluster whose RunJobFlow was not answered: ListClusters may show it late.
_LOOK_AGAIN_AFTER = (1.0, 2.0, 4.0, 8.0, 15.0)
_SENDS = 8
_CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a plan: the cluster that now runs the flow, and whether it was there already."""

    cluster_id: str
    joined: bool
    uploaded: int = 0


def apply(
    plan: Plan,
    emr: Emr,
    *,
    notify: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Applied:
    """Does what `plan` says and returns as soon as EMR has accepted it; `watch` follows it from there.

    `notify` gets one line for each thing done. Raises FlowspecError when the plan is blocked or nothing
    is known of a cluster after a lost answer, ServiceError when EMR or S3 refuses.
    """
    if plan.blocked:
        raise FlowspecError(plan.blocked, remedy=plan.remedy)
    if plan.joins:
        return Applied(plan.joins, joined=True)
    uploaded = 0
    began = datetime.now(timezone.utc)
    for asset, sent in stage(emr, plan.uploads):
        uploaded += sent
        notify(f"{'uploaded' if sent else 'already there'}: {asset.uri}")
    with _submission_lock(emr) as locked:
        if locked and (earlier := _earlier(plan, emr, began)):
            notify(f"another apply started {earlier} first; joined")
            return Applied(earlier, joined=True, uploaded=uploaded)
        for call in plan.calls[:-1]:
            emr.call(call.operation, **call.params)
            notify(f"{call.operation} {plan.replaces or ''}".rstrip())
        cluster_id = _run(plan, plan.calls[-1], emr, sleep)
        winner = _settle(plan, cluster_id, emr)
    if winner != cluster_id:
        notify(f"another apply started {winner} first; {cluster_id} was ended and {winner} joined")
    return Applied(winner, joined=winner != cluster_id, uploaded=uploaded)


@contextmanager
def _submission_lock(emr: Emr) -> Iterator[bool]:
    """Serializes submissions to the embedded EMR; yields False for AWS, where no lock exists."""
    if emr.endpoint.backend != "local":
        yield False
        return
    from flowspec.emulator.state.paths import home
    from flowspec.emulator.state.submissions import submission_lock

    with submission_lock(home()):
        yield True


def _earlier(plan: Plan, emr: Emr, began: datetime) -> str | None:
    """Returns the id of a cluster of this flow that another apply submitted since the plan was made.

    It may have ended already: two applies at the same moment are one run, however short.
    """
    found = find(emr, plan.flow, plan.target, name=plan.request["Name"], created_after=began)
    found += find(emr, plan.flow, plan.target, name=plan.request["Name"])
    others = [one for one in found if one.id != plan.replaces]
    if not others:
        return None
    if others[0].digest != plan.digest:
        raise FlowspecError(
            f"another apply of {plan.flow} was earlier, with another request: {others[0].id}; nothing was started",
            remedy="wait for it (flowspec wait), or apply again with --replace",
        )
    return others[0].id


def _run(plan: Plan, call: ApiCall, emr: Emr, sleep: Callable[[float], None]) -> str:
    """Sends RunJobFlow until one cluster is known to exist."""
    submission = uuid4().hex
    since = datetime.now(timezone.utc) - _CLOCK_SKEW
    # Tags of ours may only be ours: `api_params` could bring others.
    tags = [tag for tag in call.params.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)]
    params = {**call.params, "Tags": [*tags, *_identity(plan, submission)]}
    for attempt in range(_SENDS):
        try:
            return str(emr.create(call.operation, **params)["JobFlowId"])
        except ServiceError as error:
            if not is_throttled(error) or attempt == _SENDS - 1:
                raise
            sleep(min(60.0, 2.0**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        except OutcomeUnknown as error:
            found = _look_for(plan.request["Name"], submission, since, emr, sleep)
            if found:
                return found
            if attempt == _SENDS - 1:
                raise FlowspecError(f"{error.message}; no cluster carries submission {submission}") from error
    raise AssertionError("the last attempt returns or raises")


def _look_for(name: str, submission: str, since: datetime, emr: Emr, sleep: Callable[[float], None]) -> str | None:
    for seconds in _LOOK_AGAIN_AFTER:
        found = submitted_as(emr, name, submission, after=since)
        if found:
            return found.id
        sleep(seconds)
    return None


def _identity(plan: Plan, submission: str) -> Iterable[dict[str, str]]:
    tags = {
        FLOW_TAG: plan.flow,
        TARGET_TAG: plan.target,
        DIGEST_TAG: plan.digest,
        SUBMISSION_TAG: submission,
        SOURCE_TAG: _source(Path(plan.source)),
    }
    # AWS allows 256 characters; the end of a path tells more than its beginning.
    return [{"Key": key, "Value": value[-256:]} for key, value in tags.items()]


def _source(path: Path) -> str:
    """path@commit when the spec is in git, else its path: says where a cluster came from."""
    git = shutil.which("git")
    if git is None:
        return str(path)

    def ask(*words: str) -> str:
        done = subprocess.run(
            [git, "-C", str(path.resolve().parent), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    prefix, commit = ask("rev-parse", "--show-prefix"), ask("rev-parse", "--short=12", "HEAD")
    return f"{prefix}{path.name}@{commit}" if commit else str(path)


def _settle(plan: Plan, cluster_id: str, emr: Emr) -> str:
    """Ends our cluster if another apply of this flow was earlier; returns the one that stays.

    Raises FlowspecError when the one that stays was made from another request than ours.
    """
    rivals = [one for one in find(emr, plan.flow, plan.target, name=plan.request["Name"]) if one.id != plan.replaces]
    if not rivals or rivals[0].id == cluster_id or cluster_id not in {one.id for one in rivals}:
        return cluster_id
    winner = rivals[0]
    emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": RIVAL_TAG, "Value": winner.id}])
    emr.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=False)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    if winner.digest != plan.digest:
        raise FlowspecError(
            f"another apply of {plan.flow} was earlier, with another request: {winner.id} stays, {cluster_id} is ended",
            remedy="wait for it (flowspec wait), or apply again with --replace",
        )
    return winner.id


def destroy(emr: Emr, cluster: Cluster, *, unprotect: bool = False) -> None:
    """Terminates a cluster. Raises FlowspecError when it is protected and `unprotect` is false."""
    if cluster.termination_protected and not unprotect:
        raise FlowspecError(
            f"cluster {cluster.id} is protected against termination",
            remedy="destroy it with --unprotect, which lifts the protection first",
        )
    if cluster.termination_protected:
        emr.call("SetTerminationProtection", JobFlowIds=[cluster.id], TerminationProtected=False)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster.id])
