"""Terminates clusters, sets and removes termination protection, and lists what a cluster leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.observe import describe
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import Cluster

# <staging>/<sha256>/<name>: see flowspec.request.assets.
_STAGED = re.compile(r"s3://[^\s,#]+/[0-9a-f]{64}/[^\s,#]+")


def protect(emr: Emr, cluster_id: str, *, on: bool = True) -> bool:
    """Protects a cluster against termination, or with `on=False` lifts the protection; True if that changed it.

    Raises FlowspecError when the cluster has ended, or there is none.
    """
    cluster = describe(emr, cluster_id, steps=False)
    if cluster.has_ended:
        raise FlowspecError(f"cluster {cluster_id} is {cluster.state}: there is nothing to protect")
    if cluster.termination_protected == on:
        return False
    emr.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=on)
    return True


def unprotect(emr: Emr, cluster_id: str) -> bool:
    """Lifts the termination protection of a cluster; True if there was one. Raises as `protect` does."""
    return protect(emr, cluster_id, on=False)


def destroy(emr: Emr, cluster: Cluster, *, unprotect: bool = False) -> None:
    """Terminates a cluster. Raises FlowspecError when it is protected and `unprotect` is false."""
    if cluster.termination_protected and not unprotect:
        raise FlowspecError(
            f"cluster {cluster.id} is protected against termination",
            remedy=f"`{command_line('destroy', emr, cluster.id, '--unprotect')}` removes the protection first",
        )
    if cluster.termination_protected:
        emr.call("SetTerminationProtection", JobFlowIds=[cluster.id], TerminationProtected=False)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster.id])


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that stays when a cluster has ended: `kind` is what it is ("logs"), `name` its URI or name."""

    kind: str
    name: str


def leftovers(emr: Emr, cluster: Cluster) -> tuple[Leftover, ...]:
    """Returns what a cluster leaves in the account; nothing of it is deleted, and files in S3 still cost money.

    `cluster` is a cluster with its steps (`describe`). Only the staged files that its steps and bootstrap actions name
    are found; other flows may use them, too. Sends DescribeCluster and ListBootstrapActions.
    """
    raw = emr.call("DescribeCluster", ClusterId=cluster.id)["Cluster"]
    actions = list(emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster.id))
    return tuple(_iterate_leftovers(cluster, raw, actions))


def _iterate_leftovers(
    cluster: Cluster, raw: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]
) -> Iterator[Leftover]:
    if cluster.log_uri:
        yield Leftover("logs", f"{cluster.log_uri.rstrip('/')}/{cluster.id}/")
    group = raw.get("MonitoringConfiguration", {}).get("CloudWatchLogConfiguration", {}).get("LogGroupName")
    if group:
        yield Leftover("log group of CloudWatch", group)
    texts = [text for step in cluster.steps for text in (step.jar, *step.args)]
    texts += [text for one in actions for text in (one.get("ScriptPath", ""), *one.get("Args", ()))]
    found = dict.fromkeys(uri for text in texts for uri in _STAGED.findall(text))
    yield from (Leftover("staged file", uri) for uri in found)
    if raw.get("SecurityConfiguration"):
        yield Leftover("security configuration", raw["SecurityConfiguration"])
