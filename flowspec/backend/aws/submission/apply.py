"""Carries out a plan: starts a cluster, or joins, changes or replaces a running one.

RunJobFlow has no client token, so exactly-once submission is built from tags: each submission carries a
unique tag; the call is sent once; if its answer is lost, the tag is searched for before the call is sent
again; and if a flow is applied twice at the same moment, the later cluster is terminated in favour of the
earlier. On this machine submissions are serialized by a lock instead, so that the later cluster never starts.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.observe import CLOCK_SKEW, active_named, find_active, find_created, submitted_as
from flowspec.backend.aws.submission.submit import submit_once
from flowspec.backend.aws.submission.uploads import upload
from flowspec.errors import FlowspecError
from flowspec.facts.api_model import problems
from flowspec.facts.limits import TAG_VALUE
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import (
    CHOSEN,
    PART_TAG,
    RIVAL_TAG,
    SENSITIVE_TAG,
    SOURCE_TAG,
    SUBMISSION_TAG,
    TAG_PREFIX,
)
from flowspec.plan.identity import identity_tags
from flowspec.plan.sensitive import sensitive_tokens


class Applied(NamedTuple):
    """The cluster that runs the flow, whether it was there before, and how many files were uploaded.

    `steps` are the ids of this apply's steps on a long-running cluster; None if all steps are. `failed` are
    those of the spec that had ended there without success before, and are not run again.
    """

    cluster_id: str
    joined: bool
    uploaded: int = 0
    steps: tuple[str, ...] | None = None
    failed: tuple[str, ...] = ()


def apply(
    plan: Plan,
    emr: Emr,
    *,
    replan: Callable[[], Plan] | None = None,
    lock_timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Applied:
    """Does what `plan` says and returns as soon as EMR has accepted it; `watch` follows it from there.

    The new request is checked and its files are uploaded before a cluster that it replaces is terminated. `notify` gets
    one line for each completed action. `warn` (default: the same) gets one line for each action that failed, such as a
    step that EMR does not cancel, and on KeyboardInterrupt a line about the cluster that may run or be changed. Raises
    FlowspecError when the plan is blocked, the request is invalid, or no cluster is found after a lost answer;
    ServiceError when EMR or S3 refuses. A plan that changes a living cluster raises Locked when another apply changes
    it for longer than `lock_timeout` seconds. When the cluster has changed since, `replan` makes the plan again;
    without it StalePlan is raised.
    """
    warn = warn or notify
    if plan.blocked:
        raise FlowspecError(plan.blocked, remedy=plan.remedy)
    if plan.joins:
        return Applied(plan.joins, joined=True, steps=plan.awaits, failed=plan.failed)
    if plan.converges:
        from flowspec.backend.aws.submission.change import change_cluster

        part = (
            f"interrupted: cluster {plan.converges} may be changed in part; what is left is shown by: "
            f"{command_line('plan', emr, *plan.named_by)}"
        )
        with _report_interrupt(part, warn):
            done = change_cluster(
                plan, emr, replan=replan, lock_timeout=lock_timeout, notify=notify, warn=warn, sleep=sleep
            )
        return Applied(plan.converges, joined=True, **done._asdict())
    return _submit(plan, emr, notify, warn, sleep)


def _submit(
    plan: Plan,
    emr: Emr,
    notify: Callable[[str], None],
    warn: Callable[[str], None],
    sleep: Callable[[float], None],
) -> Applied:
    """Uploads the files of a plan, ends the cluster that it replaces, and starts the new one or joins another's."""
    submission, began = uuid4().hex, datetime.now(timezone.utc)
    params = _with_flow_tags(plan, submission)
    _refuse_invalid(params)
    uploaded = upload(plan.uploads, emr, notify)
    unknown = (
        "interrupted while RunJobFlow was being sent: a cluster may be running. Its tag is "
        f"{SUBMISSION_TAG}={submission}; find it with: {command_line('status', emr, *plan.named_by)}, "
        f"or {command_line('list', emr)}"
    )
    with emr.backend.submission_lock(emr.endpoint) as locked, _report_interrupt(unknown, warn):
        if locked and (earlier := _find_earlier_apply(plan, emr, began)):
            notify(f"another apply started {earlier} first; joined")
            return Applied(earlier, joined=True, uploaded=uploaded)
        for call in plan.calls[:-1]:
            emr.call(call.operation, **call.params)
            notify(f"{call.operation} {plan.replaces or ''}".rstrip())
        cluster_id = _run(plan, params, submission, emr, sleep)
        winner = _resolve_race(plan, cluster_id, emr)
    if winner != cluster_id:
        notify(f"another apply started {winner} first; {cluster_id} was ended and {winner} joined")
    return Applied(winner, joined=winner != cluster_id, uploaded=uploaded)


def _with_flow_tags(plan: Plan, submission: str) -> dict[str, Any]:
    """Returns the parameters of RunJobFlow with the tags that identify the flow and this submission."""
    params = plan.calls[-1].params
    # `api_params` may contain tags with flowspec's prefix (from an imported request): only flowspec's own may stay.
    tags = [tag for tag in params.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)]
    return {**params, "Tags": [*tags, *_identity(plan, submission)]}


def _refuse_invalid(params: Mapping[str, Any]) -> None:
    """Raises FlowspecError with all errors that the installed botocore finds in a request."""
    found = problems(params)
    if found:
        lines = [f"{'.'.join(map(str, one.path))}: {one.message}" for one in found]
        raise FlowspecError(
            "; ".join(["RunJobFlow would be refused", *lines]), remedy="correct these parameters; nothing was sent"
        )


def _find_earlier_apply(plan: Plan, emr: Emr, began: datetime) -> str | None:
    """Returns the id of a cluster of this flow that another apply submitted since this apply began.

    The cluster may have ended already: two simultaneous applies are one run, even a short one. Raises FlowspecError
    when it was made from another request.
    """
    name = plan.request["Name"]
    found = [*find_created(emr, plan.flow, plan.target, name=name, after=began)]
    found += find_active(emr, plan.flow, plan.target, name=name)
    others = [one for one in found if one.id != plan.replaces]
    if others and others[0].digest != plan.digest:
        raise _different_request_error(plan, emr, others[0].id, f"{others[0].id}; nothing was started")
    return others[0].id if others else None


@contextmanager
def _report_interrupt(what: str, warn: Callable[[str], None]) -> Iterator[None]:
    """On Ctrl-C in the block, reports what may have been done."""
    try:
        yield
    except KeyboardInterrupt:
        warn(what)
        raise


def _run(plan: Plan, params: Mapping[str, Any], submission: str, emr: Emr, sleep: Callable[[float], None]) -> str:
    """Sends RunJobFlow until one cluster is known to exist; returns its id."""
    since = datetime.now(timezone.utc) - CLOCK_SKEW

    def find() -> str | None:
        found = submitted_as(emr, params["Name"], submission, after=since)
        return found.id if found else None

    return submit_once(
        emr,
        "RunJobFlow",
        params,
        read=lambda answer: str(answer["JobFlowId"]),
        find=find,
        not_found=f"no cluster has the tag of submission {submission}",
        remedy=f"a cluster may be running; its tag would be {SUBMISSION_TAG}={submission}: look with "
        f"`{command_line('status', emr, *plan.named_by)}` and `{command_line('list', emr)}` before you apply again",
        sleep=sleep,
    )


def _identity(plan: Plan, submission: str) -> Iterable[dict[str, str]]:
    marked = sensitive_tokens(plan.request, plan.secrets)
    secret = {SENSITIVE_TAG: marked} if marked else {}
    tags = {**identity_tags(plan), **secret, SUBMISSION_TAG: submission, SOURCE_TAG: source_of(Path(plan.source))}
    tags |= dict(plan.supervision)
    if plan.omitted:
        tags[PART_TAG] = plan.resumes or CHOSEN
    # The end of a path identifies a file better than its beginning.
    return [{"Key": key, "Value": value[-TAG_VALUE.most :]} for key, value in tags.items()]


def source_of(path: Path) -> str:
    """Returns where a cluster came from: path@commit when the spec is in git, else its path."""
    git = shutil.which("git")
    if git is None:
        return str(path)
    asked = [git, "-C", str(path.resolve().parent), "rev-parse", "--show-prefix", "--short=12", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    prefix, _, commit = done.stdout.partition("\n")
    # Before the first commit, git prints the prefix and fails.
    return f"{prefix}{path.name}@{commit.strip()}" if not done.returncode else str(path)


def _resolve_race(plan: Plan, cluster_id: str, emr: Emr) -> str:
    """Terminates our cluster if another apply of this flow was earlier; returns the id of the remaining cluster.

    Raises FlowspecError when the remaining cluster was made from another request, when the search for it fails, and
    when our cluster can't be terminated. The message names the cluster that was started.
    """
    with _name_started_cluster(emr, cluster_id, f"it is not known whether another apply of {plan.flow} started first"):
        if {one.id for one in active_named(emr, plan.request["Name"])} <= {cluster_id, plan.replaces}:
            return cluster_id
        active = find_active(emr, plan.flow, plan.target, name=plan.request["Name"])
    rivals = [one for one in active if one.id != plan.replaces]
    if not rivals or rivals[0].id == cluster_id or cluster_id not in {one.id for one in rivals}:
        return cluster_id
    winner = rivals[0]
    with _name_started_cluster(
        emr, cluster_id, f"another apply started {winner.id} first, and terminating this cluster failed"
    ):
        emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": RIVAL_TAG, "Value": winner.id}])
        emr.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=False)
        emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    if winner.digest != plan.digest:
        raise _different_request_error(plan, emr, winner.id, f"{winner.id} keeps running, {cluster_id} was terminated")
    return winner.id


def _different_request_error(plan: Plan, emr: Emr, winner: str, what: str) -> FlowspecError:
    return FlowspecError(
        f"another apply of {plan.flow} started first, with a different request: {what}",
        remedy=f"wait for it ({command_line('wait', emr, winner)}), or apply again with --replace",
    )


@contextmanager
def _name_started_cluster(emr: Emr, cluster_id: str, what: str) -> Iterator[None]:
    """Adds to an error of the block which cluster was started."""
    try:
        yield
    except FlowspecError as error:
        raise FlowspecError(
            f"cluster {cluster_id} was started; {what}: {error.message}",
            remedy=f"follow it with `{command_line('wait', emr, cluster_id)}`, "
            f"or end it with `{command_line('destroy', emr, cluster_id)}`",
        ) from error
