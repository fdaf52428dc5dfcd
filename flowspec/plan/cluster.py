"""A live cluster and its steps as values: read by `flowspec.backend.aws.observe`, compared by a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowspec.facts import states

TAG_PREFIX = "flowspec:"
FLOW_TAG, TARGET_TAG = "flowspec:flow", "flowspec:target"
DIGEST_TAG, SUBMISSION_TAG, SOURCE_TAG = "flowspec:digest", "flowspec:submission", "flowspec:source"
# The members that the last apply set, so that the next one detects members that the spec no longer has
# (`plan.comparison.fields`).
MANAGED_TAG = "flowspec:managed"
# The digests of the members that EMR never gives back, and the digest of the steps that were submitted.
HIDDEN_TAG, STEPS_TAG = "flowspec:hidden", "flowspec:steps"
# The places of the spec's secrets in its tags and arguments (`flowspec.plan.sensitive`).
SENSITIVE_TAG = "flowspec:sensitive"
# The lock of the process that changes the cluster at this moment (`flowspec.backend.aws.submission.lock`).
LOCK_TAG = "flowspec:lock"
# The policies of its steps for watchers (`flowspec.plan.runs.supervision`), and the watcher that applies them now.
WATCH_TAG, WATCHER_TAG = "flowspec:watch", "flowspec:watcher"
# Marks of the steps that a watcher cancelled after their timeout, and of those that it added again
# (`flowspec.backend.aws.runs.settle`).
TIMED_OUT_TAG, REPEATED_TAG = "flowspec:timed-out", "flowspec:repeated"
# On a cluster that was launched because capacity was missing elsewhere: the number of the alternative, from 1.
FALLBACK_TAG = "flowspec:fallback"
# On a cluster that runs a part of its flow's steps: the id of the run that it continues (`--rerun failed`), or
# CHOSEN where its user named the steps (`--from`, `--only`).
PART_TAG, CHOSEN = "flowspec:part-of", "-"
# On a cluster that was terminated because another apply was earlier: the id of the other cluster.
RIVAL_TAG = "flowspec:rival"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a live cluster. `reason`, `message`, `log_file` are EMR's FailureDetails ("" if none)."""

    id: str
    name: str
    state: str
    action_on_failure: str = ""
    reason: str = ""
    message: str = ""
    log_file: str = ""
    jar: str = ""
    main_class: str = ""
    args: tuple[str, ...] = ()
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """True if the step is in a final state, or in an unknown state with an end time."""
        return self.state in states.ENDED_STEPS or (self.state not in states.ACTIVE_STEPS and self.ended is not None)


@dataclass(frozen=True, slots=True)
class Live:
    """A cluster as the RunJobFlow request that would have made it (`params`, without null and empty members).

    `ids` and `states` are those of the instance groups or fleets, in the order of `params`. `unread` names members that
    this endpoint could not return.
    """

    params: Mapping[str, Any]
    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster at the moment it was read. `steps` are in the order they were added, oldest first.

    `live` is set if the cluster was read back to be compared with a request. `others` are further active clusters with
    the tags of the same flow and target; normally there are none.
    """

    id: str
    name: str
    state: str
    reason_code: str = ""
    reason: str = ""
    error_details: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    log_uri: str = ""
    keep_alive: bool = False
    termination_protected: bool = False
    release_label: str = ""
    master_dns: str = ""
    created: datetime | None = None
    ready: datetime | None = None
    ended: datetime | None = None
    steps: tuple[Step, ...] = ()
    live: Live | None = None
    others: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        """True if the cluster is in a final state, or in an unknown state with an end time."""
        return self.state in states.ENDED or (self.state not in states.ALIVE and self.ended is not None)

    @property
    def digest(self) -> str:
        """The digest of the request that made it, or "" if flowspec did not make it."""
        return self.tags.get(DIGEST_TAG, "")

    def is_of(self, flow: str, target: str) -> bool:
        """Returns True if it has the tags of this flow on this target, "" for a spec without targets."""
        return (self.tags.get(FLOW_TAG), self.tags.get(TARGET_TAG, "")) == (flow, target)


def age(cluster: Cluster) -> tuple[float, str]:
    """Sorts clusters oldest first; for two of the same moment, the id decides, so that every process agrees."""
    return (cluster.created.timestamp() if cluster.created else 0.0, cluster.id)
