"""Rules across fields. Each is a small function over the rendered spec; its findings carry its id.

An error is what EMR certainly refuses, or what certainly can't work there; everything else is a
warning. What the schema found wrong has been taken out of the data before, so a rule only has to cope
with what is absent. Sources: the EMR API reference, the EMR management guide, botocore's model
(RunJobFlow), the AWS CLI's own checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.spec.messages import Finding

Spec: TypeAlias = "Mapping[str, Any]"
Rule: TypeAlias = "Callable[[Spec], Iterator[Finding]]"

MAX_STEPS = 256
MAX_BOOTSTRAP_ACTIONS = 16
MAX_TAGS = 50

_SHORT_FORM = ("master_instance_type", "slave_instance_type", "num_instances")
_NETWORK = ("ec2_subnet_id", "ec2_subnet_ids", "availability_zone", "availability_zones")
_GENERIC = re.compile(r"-(D.*|conf|fs|jt|files|archives|libjars|tokenCacheFile)$")


def broken(spec: Spec) -> Iterator[Finding]:
    """Everything the rules have against a spec."""
    for rule in RULES:
        yield from rule(spec)


def _given(spec: Spec, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if key in spec]


def _items(spec: Spec, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    return [(index, item) for index, item in enumerate(spec.get(key) or ()) if isinstance(item, dict)]


def _on_emr(spec: Spec) -> bool:
    return bool(spec.get("backend", "emr") == "emr")


def _groups_or_fleets(spec: Spec) -> Iterator[Finding]:
    if spec.get("instance_groups") and spec.get("instance_fleets"):
        yield Finding(
            "FS201",
            ("instance_fleets",),
            "a cluster has instance groups or instance fleets, not both",
            "keep one",
            key=True,
        )


def _short_form_or_groups(spec: Spec) -> Iterator[Finding]:
    for other in _given(spec, ("instance_groups", "instance_fleets")):
        for key in _given(spec, _SHORT_FORM):
            message = f"'{key}' is the short form of instances; it excludes {other}"
            yield Finding("FS202", (key,), message, "keep one of the two", key=True)


def _one_master(spec: Spec) -> Iterator[Finding]:
    for key, role in (("instance_groups", "role"), ("instance_fleets", "type")):
        items = _items(spec, key)
        if not items or any(role not in item for _, item in items):
            continue
        masters = [(index, item) for index, item in items if item[role] == "MASTER"]
        noun = "group" if key == "instance_groups" else "fleet"
        if not masters:
            yield Finding("FS203", (key,), f"no {noun} is MASTER; exactly one is", key=True)
        for index, _ in masters[1:]:
            message = f"a second MASTER {noun}; there is exactly one"
            yield Finding("FS203", (key, index, role), message, "a cluster's other nodes are CORE or TASK")
        if key == "instance_groups" and masters and masters[0][1].get("count", 1) not in (1, 3):
            message = f"the MASTER group has {masters[0][1]['count']} instances"
            hint = "1, or 3 for high availability"
            yield Finding("FS203", (key, masters[0][0], "count"), message, hint)


def _bid_for_on_demand(spec: Spec) -> Iterator[Finding]:
    for index, group in _items(spec, "instance_groups"):
        if "bid_price" in group and group.get("market") == "ON_DEMAND":
            path = ("instance_groups", index, "bid_price")
            yield Finding(
                "FS204",
                path,
                "a bid price means nothing for ON_DEMAND instances",
                "market: SPOT, or no bid_price",
                key=True,
            )


def _one_core(spec: Spec) -> Iterator[Finding]:
    for key, role in (("instance_groups", "role"), ("instance_fleets", "type")):
        cores = [index for index, item in _items(spec, key) if item.get(role) == "CORE"]
        for index in cores[1:]:
            yield Finding(
                "FS205", (key, index, role), "a second CORE; there is at most one", "further workers are TASK"
            )


def _task_needs_core(spec: Spec) -> Iterator[Finding]:
    for key, role in (("instance_groups", "role"), ("instance_fleets", "type")):
        items = _items(spec, key)
        roles = [item.get(role) for _, item in items]
        if "TASK" in roles and "CORE" not in roles and None not in roles:
            index = items[roles.index("TASK")][0]
            yield Finding(
                "FS228", (key, index, role), "TASK instances need CORE instances beside them", "add a CORE one"
            )


def _release_or_ami(spec: Spec) -> Iterator[Finding]:
    if "release_label" in spec and "ami_version" in spec:
        message = "release_label (4.0.0 and later) and ami_version (before) exclude each other"
        yield Finding("FS206", ("ami_version",), message, "keep one", key=True)


def _one_network(spec: Spec) -> Iterator[Finding]:
    given = _given(spec, _NETWORK)
    for key in given[1:]:
        yield Finding("FS207", (key,), f"'{key}' and '{given[0]}' exclude each other", "keep one", key=True)


def _not_too_many(spec: Spec) -> Iterator[Finding]:
    for id_, key, limit in (("FS208", "steps", MAX_STEPS), ("FS209", "bootstrap_actions", MAX_BOOTSTRAP_ACTIONS)):
        count = len(spec.get(key) or ())
        if count > limit:
            yield Finding(id_, (key,), f"{count} {key.replace('_', ' ')}; EMR takes up to {limit}", key=True)


def _tags(spec: Spec) -> Iterator[Finding]:
    tags = spec.get("tags") or {}
    if len(tags) > MAX_TAGS:
        yield Finding("FS210", ("tags",), f"{len(tags)} tags; AWS takes up to {MAX_TAGS}", key=True)
    for key in tags:
        if key.lower().startswith("aws:"):
            yield Finding("FS210", ("tags", key), "tags that begin with aws: belong to AWS", "another name", key=True)
        if key.lower().startswith("flowspec:"):
            hint = "another name"
            yield Finding(
                "FS211", ("tags", key), "tags that begin with flowspec: are written by flowspec", hint, key=True
            )


def _name(spec: Spec) -> Iterator[Finding]:
    odd = re.search(r"[<>$|`]", spec.get("name", ""))
    if odd:
        yield Finding("FS212", ("name",), f"EMR refuses the character {odd[0]} in a name", "leave it out")


def _generic_options(spec: Spec) -> Iterator[Finding]:
    for index, step in _items(spec, "steps"):
        if step.get("type") != "streaming":
            continue
        for at, word in enumerate(step.get("args") or ()):
            if isinstance(word, str) and _GENERIC.match(word):
                message = f"{word} is a generic option; Hadoop takes those only before all streaming options"
                yield Finding(
                    "FS213", ("steps", index, "args", at), message, "use properties, files, archives or libjars"
                )


def _hadoop_version(spec: Spec) -> Iterator[Finding]:
    if "hadoop_version" in spec and "release_label" in spec:
        message = "EMR heeds hadoop_version only before release 4.0.0"
        yield Finding("FS214", ("hadoop_version",), message, "leave it out", key=True)


def _one_bid(spec: Spec) -> Iterator[Finding]:
    both = ("bid_price", "bid_price_as_percentage_of_on_demand_price")
    for index, fleet in _items(spec, "instance_fleets"):
        for at, config in _items(fleet, "instance_type_configs"):
            if all(key in config for key in both):
                path = ("instance_fleets", index, "instance_type_configs", at, both[1])
                yield Finding("FS215", path, "a bid price and a percentage exclude each other", "keep one", key=True)


def _one_ami(spec: Spec) -> Iterator[Finding]:
    if "custom_ami_id" not in spec:
        return
    for index, group in _items(spec, "instance_groups"):
        if "custom_ami_id" in group:
            message = "the cluster has a custom AMI already"
            yield Finding(
                "FS216", ("instance_groups", index, "custom_ami_id"), message, "give it in one of the places", key=True
            )
    for index, fleet in _items(spec, "instance_fleets"):
        for at, config in _items(fleet, "instance_type_configs"):
            if "custom_ami_id" in config:
                path = ("instance_fleets", index, "instance_type_configs", at, "custom_ami_id")
                yield Finding(
                    "FS216", path, "the cluster has a custom AMI already", "give it in one of the places", key=True
                )


def _upgrade_needs_ami(spec: Spec) -> Iterator[Finding]:
    if "repo_upgrade_on_boot" in spec and "custom_ami_id" not in spec:
        message = "repo_upgrade_on_boot is only for clusters with a custom_ami_id"
        yield Finding("FS217", ("repo_upgrade_on_boot",), message, key=True)


def _security_groups(spec: Spec) -> Iterator[Finding]:
    both = ("emr_managed_master_security_group", "emr_managed_slave_security_group")
    given = _given(spec, both)
    if len(given) == 1:
        other = both[1 - both.index(given[0])]
        yield Finding(
            "FS218", (given[0],), f"'{given[0]}' needs '{other}' beside it", "give both, or neither", key=True
        )


def _scaled_groups(spec: Spec) -> list[tuple[int, Mapping[str, Any]]]:
    return [(index, group) for index, group in _items(spec, "instance_groups") if "auto_scaling_policy" in group]


def _scaling_of_master(spec: Spec) -> Iterator[Finding]:
    for index, group in _scaled_groups(spec):
        if group.get("role") == "MASTER":
            path = ("instance_groups", index, "auto_scaling_policy")
            yield Finding("FS219", path, "the MASTER group can't scale", "leave the policy out", key=True)


def _scaling_role(spec: Spec) -> Iterator[Finding]:
    scaled = _scaled_groups(spec)
    if scaled and "auto_scaling_role" not in spec:
        path = ("instance_groups", scaled[0][0], "auto_scaling_policy")
        yield Finding(
            "FS220",
            path,
            "automatic scaling needs an auto_scaling_role",
            "auto_scaling_role: EMR_AutoScaling_DefaultRole",
            key=True,
        )


def _two_scalings(spec: Spec) -> Iterator[Finding]:
    if _scaled_groups(spec) and "managed_scaling_policy" in spec:
        message = "EMR scales by managed_scaling_policy or by the groups' auto_scaling_policy, not by both"
        yield Finding("FS221", ("managed_scaling_policy",), message, "keep one", key=True)


def _idle(spec: Spec) -> Iterator[Finding]:
    if spec.get("keep_alive") is True and "auto_termination_policy" not in spec and _on_emr(spec):
        message = "this cluster stays, and costs, until someone ends it"
        yield Finding("FS222", ("keep_alive",), message, "auto_termination_policy: {idle_timeout: 3600}", key=True)


def _many_subnets(spec: Spec) -> Iterator[Finding]:
    for key, one in (("ec2_subnet_ids", "ec2_subnet_id"), ("availability_zones", "availability_zone")):
        if len(spec.get(key) or ()) > 1 and "instance_fleets" not in spec and _on_emr(spec):
            message = f"EMR chooses among {key} for instance fleets only"
            yield Finding("FS223", (key,), message, f"use instance_fleets, or {one}", key=True)


def _instances(spec: Spec) -> Iterator[Finding]:
    if _on_emr(spec) and not _given(spec, ("instance_groups", "instance_fleets", "master_instance_type", "api_params")):
        message = "no instances: EMR refuses a cluster without them"
        yield Finding(
            "FS224", (), message, "give instance_groups, instance_fleets, or master_instance_type and num_instances"
        )


def _release(spec: Spec) -> Iterator[Finding]:
    if _on_emr(spec) and not _given(spec, ("release_label", "ami_version", "api_params")):
        yield Finding(
            "FS225",
            (),
            "no release: EMR falls back to an AMI that it no longer offers",
            "such as release_label: emr-7.5.0",
        )
    label = spec.get("release_label")
    if isinstance(label, str) and label and not re.fullmatch(r"emr-\d+\.\d+(\.\d+)?(-.+)?", label):
        yield Finding(
            "FS226", ("release_label",), f"'{label}' does not look like a release", "they look like emr-7.5.0"
        )


def _debugging(spec: Spec) -> Iterator[Finding]:
    if spec.get("enable_debugging") is True and not spec.get("log_uri"):
        yield Finding("FS227", ("enable_debugging",), "debugging needs the logs in S3", "give a log_uri", key=True)


RULES: tuple[Rule, ...] = (
    _groups_or_fleets,
    _short_form_or_groups,
    _one_master,
    _bid_for_on_demand,
    _one_core,
    _task_needs_core,
    _release_or_ami,
    _one_network,
    _not_too_many,
    _tags,
    _name,
    _generic_options,
    _hadoop_version,
    _one_bid,
    _one_ami,
    _upgrade_needs_ami,
    _security_groups,
    _scaling_of_master,
    _scaling_role,
    _two_scalings,
    _idle,
    _many_subnets,
    _instances,
    _release,
    _debugging,
)
