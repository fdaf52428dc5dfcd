"""Decides how the steps of a cluster ended, by the policies in its tags: `timeout`, `retry` and `skip_on_exit`.

EMR knows none of them: to EMR, a step that exited with a code of `skip_on_exit` is failed, and a step that was stopped
after its timeout is cancelled. Everything that judges or shows steps uses this module, so that all commands agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.logs import PATIENCE, Logs, logs_of
from flowspec.backend.aws.verdict import Verdict, judge
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.limits import TAG_VALUE
from flowspec.plan.cluster import FLOW_TAG, REPEATED_TAG, TIMED_OUT_TAG, Cluster, Step
from flowspec.plan.runs.supervision import StepPolicy, read_policies, token_of

# "WARN Step failed with exitCode 3 and took 5 seconds" is the last line of EMR's controller log.
_EXIT_CODE = re.compile(r"failed with exitCode (\d+)")
# Bytes of the end of that log.
_TAIL = 4096
# A tag of 256 characters has room for the marks of the latest 36 steps. A step has at most 9 retries.
_MARK = 6
# S3's refusals that are final: a later attempt gets the same answer.
_FINAL = frozenset({"AccessDenied", "403", "NoSuchBucket", "PermanentRedirect", "AllAccessDisabled"})


class Unread(NamedTuple):
    """The reason why a step's logs can't be read, and its remedy; `final` if they never will be."""

    reason: str
    final: bool


class ExitCodes:
    """Reads the exit codes of a cluster's failed steps from their controller logs.

    Each log is read once per poll, so that everything that judges the steps uses the same exit codes.
    """

    def __init__(self, cluster: Cluster, logs: Logs) -> None:
        self.logs = logs
        self._has_uri = bool(cluster.log_uri)
        self._known: dict[str, int | None] = {}
        self._unread: dict[str, Unread] = {}

    def of(self, step: Step) -> int | None:
        """Returns the exit code of a failed step; None when its controller log does not have it (yet)."""
        if step.id not in self._known:
            found = _EXIT_CODE.findall(self._controller_log(step))
            self._known[step.id] = int(found[-1]) if found else None
        return self._known[step.id]

    def look_again(self) -> None:
        """Forgets the exit codes that were not found, so that the next poll reads their logs again."""
        self._known = {step_id: code for step_id, code in self._known.items() if code is not None}
        self._unread.clear()

    def unread(self, step: Step) -> Unread | None:
        """Returns why the log that was read last for a step could not be read; None when it could, or it has none."""
        return self._unread.get(step.id)

    def _controller_log(self, step: Step) -> str:
        try:
            log = self.logs.tail(step.id, "controller", _TAIL)
        except FlowspecError as error:
            final = isinstance(error, ServiceError) and error.code in _FINAL
            self._unread[step.id] = Unread(error.sentence, final)
            return ""
        if log is None:
            self._unread[step.id] = self._missing_log_reason(step)
        return (log or b"").decode("utf-8", "replace")

    def _missing_log_reason(self, step: Step) -> Unread:
        where = self.logs.step_location(step.id)
        if self.logs.live:
            return Unread(f"{where} has no controller log: it was removed", True)
        if not self._has_uri:
            return Unread("the cluster has no `log_uri`, so EMR keeps no logs; give the spec one", True)
        return Unread(
            f"{where} has no controller log; EMR ships it within five minutes, if the cluster's instance profile may "
            "write there (s3:PutObject), and it may have been removed since",
            False,
        )


def settle_on(emr: Emr, cluster: Cluster, notify: Callable[[str], object] = lambda _: None) -> Cluster:
    """Returns a cluster with the states of its steps by its policies; reads logs where they are needed.

    `notify` gets one line when a log that is needed can't be read: then the step counts as failed, as EMR reports it.
    """
    codes = ExitCodes(cluster, logs_of(emr, cluster))
    seen = settle(cluster, codes)
    if note := next(unread_notes(cluster, codes), None):
        notify(note)
    return seen


def unread_notes(cluster: Cluster, codes: ExitCodes) -> Iterator[str]:
    """Yields a line for each failed step to which `skip_on_exit` can't be applied, since its log can't be read."""
    for step, _ in _skippable(cluster):
        if codes.of(step) is None and (found := codes.unread(step)):
            yield unread_note(step, "skip_on_exit", found)


def unread_note(step: Step, policy: str, unread: Unread) -> str:
    """Returns the line that says why a policy of a failed step is not applied."""
    return f"step {step.name} ({step.id}): {policy} can't be applied, its logs can't be read: {unread.reason}"


def awaits_exit_code(cluster: Cluster, codes: ExitCodes, now: datetime) -> bool:
    """Returns whether a failed step may still turn out to be skipped: its log has not been shipped yet."""
    return any(codes.of(step) is None and logs_may_follow(step, codes, now) for step, _ in _skippable(cluster))


def logs_may_follow(step: Step, codes: ExitCodes, now: datetime) -> bool:
    """Returns whether more of the logs of a step that has ended may be shipped by EMR."""
    unread = codes.unread(step)
    if codes.logs.live or (unread and unread.final):
        return False
    return step.ended is not None and (now - step.ended).total_seconds() <= PATIENCE


def _skippable(cluster: Cluster) -> Iterator[tuple[Step, StepPolicy]]:
    """Yields the steps that EMR calls failed and that have a `skip_on_exit`."""
    policies = read_policies(cluster.tags)
    for step in cluster.steps:
        policy = policies.get(token_of(step)) if step.state == "FAILED" else None
        if policy and policy.skip and not has_timed_out(step, cluster):
            yield step, policy


def settle(cluster: Cluster, codes: ExitCodes) -> Cluster:
    """Returns a cluster with the states of its steps by its policies; `reason` and `message` say why.

    A step that was stopped after its timeout is failed. One that exited with a code of `skip_on_exit` is completed,
    and so are those that EMR cancelled because of it, and a cluster that ended only for that is not failed. Steps that
    were repeated are still there, as failed (`settled_run`).
    """
    policies = read_policies(cluster.tags)
    if not policies:
        return cluster
    skips = {step.id: code for step, policy in _skippable(cluster) if (code := codes.of(step)) in policy.skip}
    done: list[Step] = []
    skipped: Step | None = None
    for one in cluster.steps:
        if has_timed_out(one, cluster):
            limit = policies.get(token_of(one), StepPolicy()).timeout
            done.append(replace(one, state="FAILED", reason="timeout", message=_timeout_message(limit)))
        elif one.id in skips:
            done.append(_as_completed(one, f"skipped: exit {skips[one.id]} means no data"))
            skipped = one if one.action_on_failure != "CONTINUE" else None
        elif skipped and cancelled_by(skipped, one):
            done.append(_as_completed(one, f"skipped with step {skipped.name}"))
        else:
            skipped = skipped if one.started is None else None
            done.append(one)
    seen = replace(cluster, steps=tuple(done))
    if skips and cluster.reason_code == "STEP_FAILURE" and _has_no_failed_step(seen):
        seen = replace(seen, reason_code="ALL_STEPS_COMPLETED", reason="a step was skipped")
        seen = replace(seen, state="TERMINATED") if cluster.has_ended else seen
    return seen


def _has_no_failed_step(cluster: Cluster) -> bool:
    repeated = _repeated_ids(cluster)
    return all(one.state != "FAILED" or one.id in repeated for one in cluster.steps)


def _timeout_message(limit: int) -> str:
    return f"it ran longer than its timeout{f' of {limit} s' if limit else ''}"


def _as_completed(step: Step, reason: str) -> Step:
    return replace(step, state="COMPLETED", reason=reason, message="", log_file="")


def cancelled_by(failed: Step, step: Step) -> bool:
    """Returns whether EMR cancelled a step because an earlier one failed: the step had been added, and never ran."""
    if step.state != "CANCELLED" or step.started is not None:
        return False
    return step.created is None or failed.ended is None or step.created <= failed.ended


def settled_run(
    cluster: Cluster, steps: Collection[str] | None, codes: ExitCodes
) -> tuple[Cluster, Collection[str] | None]:
    """Returns a cluster without the attempts that were repeated, and the ids of the steps that count, to be judged.

    `steps` are the ids of those that are waited for, None for all: the last attempts of them count.
    """
    seen = settle(cluster, codes)
    kept = without_repeated(seen)
    if steps is not None:
        left = {one.id for one in kept.steps}
        again = {token_of(one) for one in seen.steps if one.id in steps and one.id not in left}
        steps = {*steps, *(one.id for one in kept.steps if token_of(one) in again)}
    return kept, steps


def without_repeated(cluster: Cluster) -> Cluster:
    """Returns a settled cluster without the attempts that were repeated, to be judged as a whole.

    A watcher repeats a step, or it is run again later, such as by `--rerun`, and completes then.
    """
    repeated = _repeated_ids(cluster) | _overtaken_ids(cluster)
    return replace(cluster, steps=tuple(one for one in cluster.steps if one.id not in repeated))


def judge_settled(cluster: Cluster, codes: ExitCodes) -> Verdict:
    """Returns the verdict on a cluster as a whole, by the policies of its steps."""
    return judge(without_repeated(settle(cluster, codes)))


def _repeated_ids(cluster: Cluster) -> set[str]:
    """Returns the ids of the steps that a watcher added again: failed ones, and those that were cancelled with them."""
    if REPEATED_TAG not in cluster.tags:
        return set()
    latest = {token_of(one): one.id for one in cluster.steps}
    found: set[str] = set()
    stopping: list[Step] = []
    for one in cluster.steps:
        marked = was_repeated(one, cluster)
        stopping += [one] if marked and one.action_on_failure != "CONTINUE" else []
        if latest[token_of(one)] != one.id and (marked or any(cancelled_by(failed, one) for failed in stopping)):
            found.add(one.id)
    return found


def _overtaken_ids(cluster: Cluster) -> set[str]:
    """Returns the ids of steps that failed, or were cancelled with a failed one, and that were completed later.

    They are matched by name, since a corrected step has other arguments. This is done only on the cluster of a flow, as
    other tools may give all steps one name. A step that already existed at the failure is not a new run: steps that are
    submitted together may have the same name.
    """
    if FLOW_TAG not in cluster.tags:
        return set()
    completed = {one.name: one for one in cluster.steps if one.state == "COMPLETED"}
    found: set[str] = set()
    stopping: Step | None = None
    for one in cluster.steps:
        if one.state == "FAILED":
            since = one.ended
            stopping = one if one.action_on_failure != "CONTINUE" else stopping
        else:
            since = stopping.ended if stopping and cancelled_by(stopping, one) else None
        later = completed.get(one.name)
        if since and later and later.created and since <= later.created:
            found.add(one.id)
    return found


def attempts_of(step: Step, cluster: Cluster) -> int:
    """Returns the number of attempts of a step's run, itself included.

    Earlier attempts count if a watcher repeated them. A step that was added by an apply, such as with --rerun, is the
    first attempt of another run.
    """
    equal = [one for one in cluster.steps if token_of(one) == token_of(step)]
    count = 1
    for before in reversed(equal[: equal.index(step)]):
        if not was_repeated(before, cluster):
            break
        count += 1
    return count


def has_timed_out(step: Step, cluster: Cluster) -> bool:
    """Returns whether a watcher cancelled a step after its timeout."""
    return step.has_ended and step.state != "COMPLETED" and _is_marked(step, cluster.tags, TIMED_OUT_TAG)


def was_repeated(step: Step, cluster: Cluster) -> bool:
    """Returns whether a watcher has added a step again, or was about to."""
    return _is_marked(step, cluster.tags, REPEATED_TAG)


def tag_of_marks(step: Step, tags: Mapping[str, str], tag: str) -> dict[str, str]:
    """Returns the tag that marks a step beside those that it marks already, of which the oldest are left out.

    A step is known in it by six hexadecimal digits of the SHA-256 of its id.
    """
    before = [word for word in tags.get(tag, "").split() if word != _mark_of(step)]
    room = (TAG_VALUE.most + 1) // (_MARK + 1)
    return {"Key": tag, "Value": " ".join([*before, _mark_of(step)][-room:])}


def _is_marked(step: Step, tags: Mapping[str, str], tag: str) -> bool:
    return _mark_of(step) in tags.get(tag, "").split()


def _mark_of(step: Step) -> str:
    return sha256(step.id.encode()).hexdigest()[:_MARK]
