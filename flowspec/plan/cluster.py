"""A live cluster and its steps as values: read by `flowspec.backend.aws.observe`, compared by a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flowspec.facts import states

TAG_PREFIX = "flowspec:"
FLOW_TAG, TARGET_TAG = "flowspec:flow", "flowspec:target"
DIGEST_TAG, SUBMISSION_TAG, SOURCE_TAG = "flowspec:digest", "flowspec:submission", "flowspec:source"
# On a cluster that was ended because another apply was earlier: the id of the one that stayed.
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
        """Whether the step will not change any more."""
        return self.state in states.ENDED_STEPS


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as it is now. `steps` are in the order they were added, oldest first."""

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

    @property
    def has_ended(self) -> bool:
        """Whether the cluster is gone for good."""
        return self.state in states.ENDED

    @property
    def digest(self) -> str:
        """The digest of the request that made it, or "" if flowspec did not make it."""
        return self.tags.get(DIGEST_TAG, "")


def age(cluster: Cluster) -> tuple[float, str]:
    """Sorts clusters oldest first; the id decides between two of the same moment, the same way for everyone."""
    return (cluster.created.timestamp() if cluster.created else 0.0, cluster.id)
