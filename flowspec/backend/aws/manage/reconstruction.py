"""A live or ended cluster -> the RunJobFlow request that creates one like it; a spec is written from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.observe import read_back
from flowspec.facts.api_model import TARGETS, Json, input_shape
from flowspec.facts.limits import MAX_STEPS_LISTED
from flowspec.plan.cluster import FLOW_TAG, HIDDEN_TAG, TAG_PREFIX, TARGET_TAG, Cluster
from flowspec.plan.runs.supervision import read_policies, token_of, unread_policies
from flowspec.plan.runs.unattended import known_settings, unknown_settings
from flowspec.plan.sensitive import known_secrets
from flowspec.plan.steps import history_is_cut, surviving_steps

# Values that EMR sets if a request has none, and that it refuses in requests with older releases.
_FILLED_IN: Mapping[str, Any] = {"StepConcurrencyLevel": 1, "VisibleToAllUsers": True}
# DescribeStep is called for so many steps to read their role, which ListSteps does not return.
_ROLES_ASKED = 10


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """The parameters of RunJobFlow, the flow and target that a cluster of ours was made for, and what is not known.

    `secrets` are the texts in the parameters that its tags say are secret; `notes` are sentences.
    """

    params: Json
    flow: str = ""
    target: str = ""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    policies: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def reconstruct(emr: Emr, cluster_id: str) -> Reconstructed:
    """Reads a cluster back as the request of a spec that plans to no change.

    Raises FlowspecError when there is no such cluster, ServiceError when EMR refuses to be read.
    """
    cluster = read_back(emr, cluster_id)
    assert cluster.live is not None
    params = {name: value for name, value in cluster.live.params.items() if _FILLED_IN.get(name) != value}
    params["Instances"] = _instances(params["Instances"])
    tags = [tag for tag in params.pop("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)]
    steps = surviving_steps(cluster)
    params |= {"Tags": tags} if tags else {}
    params.pop("Steps", None)
    params |= {"Steps": [config for config, _ in steps]} if steps else {}
    role, notes = _role(emr, cluster_id, [step.id for _, step in steps])
    params |= {"StepExecutionRoleArn": role} if role else {}
    policies = read_policies(cluster.tags)
    watched = ((index, policies.get(token_of(step))) for index, (_, step) in enumerate(steps))
    return Reconstructed(
        _with_required(params, input_shape()),
        flow=cluster.tags.get(FLOW_TAG, ""),
        target=cluster.tags.get(TARGET_TAG, ""),
        secrets=known_secrets(cluster),
        settings=known_settings(cluster.tags),
        policies={index: policy.fields for index, policy in watched if policy},
        notes=(*notes, *_describe_gaps(cluster)),
    )


_EMPTY: Mapping[str, Any] = {"list": [], "structure": {}, "map": {}, "string": ""}


def _with_required(value: Any, shape: Any) -> Any:
    """Returns the request with the empty members that RunJobFlow requires; reading it back dropped them."""
    if isinstance(value, Mapping) and shape.type_name == "structure":
        lacking = [name for name in shape.required_members if name not in value]
        filled = {**value, **{name: _EMPTY[shape.members[name].type_name] for name in lacking}}
        return {name: _with_required(item, shape.members[name]) for name, item in filled.items()}
    if isinstance(value, list) and shape.type_name == "list":
        return [_with_required(item, shape.member) for item in value]
    return value


def _instances(instances: Json) -> Json:
    """Returns Instances as a request gives them: groups have one subnet or zone, and removed groups are left out."""
    out = dict(instances)
    # EMR lists a removed group for ever, without instances. One with a scaling policy only waits for instances.
    for name, signs in (("InstanceGroups", ("InstanceCount", "AutoScalingPolicy")), ("InstanceFleets", TARGETS)):
        if name in out:
            out[name] = [one for one in out[name] if not _is_task(one) or any(one.get(sign) for sign in signs)]
    if out.get("Ec2SubnetIds"):
        # A subnet implies its zone, and a request gives one of the two.
        out.pop("Placement", None)
    if "InstanceFleets" in out:
        return out
    # Several subnets and zones are for fleets (API: Ec2SubnetIds, PlacementType).
    subnets, zones = out.pop("Ec2SubnetIds", []), out.pop("Placement", {}).get("AvailabilityZones", [])
    out |= {"Ec2SubnetId": subnets[0]} if subnets else {}
    return out | ({"Placement": {"AvailabilityZone": zones[0]}} if zones else {})


def _is_task(group: Json) -> bool:
    return "TASK" in (group.get("InstanceRole"), group.get("InstanceFleetType"))


def _role(emr: Emr, cluster_id: str, step_ids: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Returns the role of the steps if all have the same role, else a note that they differ."""
    asked = step_ids[-_ROLES_ASKED:]
    steps = (emr.call("DescribeStep", ClusterId=cluster_id, StepId=step_id)["Step"] for step_id in asked)
    roles = dict.fromkeys(str(step.get("ExecutionRoleArn") or "") for step in steps)
    if len(roles) > 1:
        names = ", ".join(filter(None, roles))
        return "", (f"the steps run with different roles ({names}): a spec has one step_execution_role_arn",)
    return next(iter(roles), ""), ()


def _describe_gaps(cluster: Cluster) -> Iterator[str]:
    if history_is_cut(cluster):
        yield f"EMR shows only the latest {MAX_STEPS_LISTED} steps of a cluster: earlier ones are not in this spec"
    assert cluster.live is not None
    if cluster.live.unread:
        yield f"{', '.join(sorted(cluster.live.unread))} could not be read, and may be missing"
    if words := unread_policies(cluster.tags):
        yield f"its tags have policies of steps that this version of flowspec can't read: {', '.join(words)}"
    for setting in unknown_settings(cluster.tags):
        yield f"its spec had {setting}, which the tags do not contain in full: add it, or the next apply removes it"
    if HIDDEN_TAG in cluster.tags:
        yield "its spec had AdditionalInfo or another member that EMR never shows: add it to this one"
    elif FLOW_TAG not in cluster.tags:
        yield "EMR never shows AdditionalInfo, and of products (AMI 2 and 3) nothing: add them if it was made with any"
