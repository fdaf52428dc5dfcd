"""What of a run on this machine was real, and what was not: read off the cluster as it now is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from flowspec.backend.aws.client import Emr
from flowspec.backend.local.notes import version_differences
from flowspec.engines import engine_of
from flowspec.plan.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Truth:
    """The steps that ran, by engine; what was only recorded; versions that differ (application, theirs, ours).

    `bootstrap_ran` of `bootstrap_actions` were run; `roles` says whether the cluster was given IAM roles.
    """

    steps: Mapping[str, int]
    instances: int
    bootstrap_actions: int
    bootstrap_ran: int
    roles: bool
    release: str
    versions: tuple[tuple[str, str, str], ...]


def truth(emr: Emr, cluster: Cluster) -> Truth | None:
    """The truth about a run on the embedded EMR; None for one on AWS, where all of it was real."""
    if emr.endpoint.backend != "local":
        return None
    from flowspec.emulator.state.paths import bootstrap_folder, home

    raw = emr.call("DescribeCluster", ClusterId=cluster.id)["Cluster"]
    names = (engine_of(step.jar, step.main_class or None, step.args) for step in cluster.steps if step.started)
    engines = Counter(filter(None, names))
    actions = list(emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster.id))
    numbers = range(1, len(actions) + 1)
    return Truth(
        steps=dict(engines),
        instances=sum(1 for _ in emr.pages("ListInstances", "Instances", ClusterId=cluster.id)),
        bootstrap_actions=len(actions),
        bootstrap_ran=sum(bootstrap_folder(home(), cluster.id, number).exists() for number in numbers),
        roles=bool(raw.get("ServiceRole") or raw.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile")),
        release=cluster.release_label,
        versions=tuple(version_differences(cluster.release_label, engines)),
    )
