"""The tags of a cluster that record its flow and the request that it was created from.

There is no state file: these tags contain the data about the last apply that the next plan needs. A value has at most
256 characters (AWS), so contents are stored as digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from flowspec.facts.limits import TAG_VALUE
from flowspec.facts.mutability import ROWS, Handling
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import (
    DIGEST_TAG,
    FLOW_TAG,
    HIDDEN_TAG,
    LOCK_TAG,
    MANAGED_TAG,
    REPEATED_TAG,
    STEPS_TAG,
    TARGET_TAG,
    TIMED_OUT_TAG,
    WATCHER_TAG,
    Cluster,
)
from flowspec.plan.comparison.differences import token
from flowspec.plan.comparison.fields import stated
from flowspec.plan.steps import step_identity
from flowspec.request.public_form import public_form

# Of KerberosAttributes, DescribeCluster returns the realm but no password.
HIDDEN_MEMBERS = (*(row.member for row in ROWS if row.handling is Handling.UNREADABLE), "KerberosAttributes")


def identity_tags(plan: Plan) -> dict[str, str]:
    """Returns the tags of a plan's flow, except those that identify a single submission (see `apply`)."""
    tags = {
        FLOW_TAG: plan.flow,
        TARGET_TAG: plan.target,
        DIGEST_TAG: plan.digest,
        MANAGED_TAG: _managed(plan.request),
    }
    # The digest covers all steps of a spec, but other steps of this spec may never have been submitted.
    steps = {} if plan.omitted else {STEPS_TAG: steps_digest(plan.request, plan.secrets)}
    hidden = " ".join(f"{member}={digest}" for member, digest in hidden_digests(plan.request, plan.secrets).items())
    return tags | steps | ({HIDDEN_TAG: hidden} if hidden else {})


def _managed(params: Mapping[str, Any]) -> str:
    """Returns the tokens of what a request states.

    "" if they are too many for a tag: then nothing is removed later.
    """
    tokens = "".join(sorted({token(address) for address in stated(params)}))
    return tokens if len(tokens) <= TAG_VALUE.most else ""


def unreadable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the members of a request that EMR never gives back."""
    found = {}
    for member in HIDDEN_MEMBERS:
        value: Any = params
        for name in member.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value:
            found[member] = value
    return found


def hidden_digests(params: Mapping[str, Any], secrets: Collection[str]) -> dict[str, str]:
    """Returns a digest of each member that EMR never returns; the digests reveal no `secrets` or passwords."""
    return {name: _digest(public_form({name: value}, secrets))[:16] for name, value in unreadable(params).items()}


def read_hidden_digests(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns the digests that the last apply left in a cluster's tags."""
    words = (word.partition("=") for word in tags.get(HIDDEN_TAG, "").split())
    return {member: digest for member, separator, digest in words if separator}


def steps_digest(params: Mapping[str, Any], secrets: Collection[str]) -> str:
    """Returns the digest of the steps that a request submits; it reveals none of the `secrets` in them."""
    public = public_form({"Steps": params.get("Steps", ())}, secrets)
    return _digest([public["secrets"], [step_identity(one) for one in public["params"]["Steps"]]])[:16]


def observed_digest(cluster: Cluster, secrets: Collection[str]) -> str:
    """Returns the digest of a cluster as it was read, by which a saved plan is known to be stale.

    For steps, only the ids count: a new state of a step changes no plan that was made while the step was alive.
    """
    live = cluster.live
    params = {name: value for name, value in live.params.items() if name != "Steps"} if live else {}
    if live and params.get("Instances"):
        params["Instances"] = _without_moved_sizes(params)
    # The lock is written by the process that makes this comparison, the other tags by watchers.
    params["Tags"] = [tag for tag in params.get("Tags", ()) if not tag["Key"].startswith((LOCK_TAG, WATCHER_TAG))]
    params["Tags"] = [tag for tag in params["Tags"] if tag["Key"] not in {TIMED_OUT_TAG, REPEATED_TAG}]
    public = public_form(params, secrets)
    return _digest([cluster.id, public, live.ids if live else None, [one.id for one in cluster.steps]])


_SIZES = {
    "InstanceGroups": frozenset({"InstanceCount"}),
    "InstanceFleets": frozenset({"TargetOnDemandCapacity", "TargetSpotCapacity"}),
}


def _without_moved_sizes(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the Instances of a cluster without the sizes that a scaler may change at any moment."""
    managed = bool(params.get("ManagedScalingPolicy"))
    instances = dict(params["Instances"])
    for name, sizes in _SIZES.items():
        instances[name] = [
            {
                key: item
                for key, item in one.items()
                if key not in sizes or not (managed or one.get("AutoScalingPolicy"))
            }
            for one in instances.get(name, ())
        ]
    return instances


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
