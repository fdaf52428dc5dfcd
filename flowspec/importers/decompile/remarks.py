"""Comments on what is odd in an imported spec; the values themselves are kept, as the request has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from flowspec.document.rendering.values import leaves
from flowspec.facts.api_model import KeyPath

Remark: TypeAlias = "tuple[KeyPath, str]"

# AWS's page on previous generation instances, as far as EMR offered them.
_OLD_TYPE = re.compile(r"(m[123]|c[13]|cc[12]|cg1|cr1|g2|hi1|hs1|i2|r3|t1)\.\w+")
_OLD_WORD = "the old name of TERMINATE_CLUSTER"
_OLD_SCHEME = re.compile(r"\bs3n://")


def remarks(spec: dict[str, Any]) -> dict[KeyPath, list[str]]:
    """Returns the remarks about a spec by the paths of its values; each text once, at its first place."""
    out: dict[KeyPath, list[str]] = {}
    seen: set[str] = set()
    for rule in _RULES:
        for path, text in rule(spec):
            if text not in seen:
                out.setdefault(path, []).append(text)
                seen.add(text)
    return out


def _release(spec: dict[str, Any]) -> Iterator[Remark]:
    if not {"release_label", "ami_version", "api_params"} & spec.keys():
        yield ("name",), "no release is given: EMR uses a very old AMI"
    if {"release_label", "hadoop_version"} <= spec.keys():
        yield ("hadoop_version",), "EMR uses this only before release 4.0.0"
    if spec.get("visible_to_all_users") is False:
        yield ("visible_to_all_users",), "EMR accepts this, and every user sees the cluster all the same"


def _instances(spec: dict[str, Any]) -> Iterator[Remark]:
    for index, group in enumerate(spec.get("instance_groups", ())):
        path = ("instance_groups", index)
        if group.get("market") == "SPOT" and "bid_price" not in group:
            yield path, "SPOT without a bid price: up to the on-demand price is paid"
        if group.get("market") == "ON_DEMAND" and "bid_price" in group:
            yield path, "a bid price has no effect for ON_DEMAND"
        yield from _old_type(group["type"], path)
    for index, fleet in enumerate(spec.get("instance_fleets", ())):
        for config in fleet.get("instance_type_configs", ()):
            yield from _old_type(config["type"], ("instance_fleets", index))
    for key in ("master_instance_type", "slave_instance_type"):
        yield from _old_type(spec.get(key, ""), (key,))


def _old_type(name: str, path: KeyPath) -> Iterator[Remark]:
    if _OLD_TYPE.fullmatch(name):
        yield path, f"{name} is of a previous generation; EMR may not offer it any more"


def _old_schemes(spec: dict[str, Any]) -> Iterator[Remark]:
    for key, value in spec.items():
        items = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, item in items:
            if any(isinstance(one, str) and _OLD_SCHEME.search(one) for one in leaves(item)):
                yield (key,) if index is None else (key, index), "s3n:// is the old name of s3://"


def _tags(spec: dict[str, Any]) -> Iterator[Remark]:
    for key, value in spec.get("tags", {}).items():
        if value is None:
            yield ("tags", key), "a tag without a value"


def _steps(spec: dict[str, Any]) -> Iterator[Remark]:
    steps = spec.get("steps", [])
    names = Counter(step["name"] for step in steps)
    if spec.get("action_on_failure") == "TERMINATE_JOB_FLOW":
        yield ("action_on_failure",), _OLD_WORD
    for index, step in enumerate(steps):
        path = ("steps", index)
        if names[step["name"]] > 1:
            yield path, f"{names[step['name']]} steps have this name"
        if step.get("on_failure") == "TERMINATE_JOB_FLOW":
            yield (*path, "on_failure"), _OLD_WORD
        if step.get("main_class") == "":
            yield (*path, "main_class"), "an empty class, not the same as none"
        yield from _words(step, path)


def _words(step: dict[str, Any], path: KeyPath) -> Iterator[Remark]:
    for key in ("args", "spark_args", "generic_args"):
        words = step.get(key, [])
        if any(re.match(r"-\S* ", word) for word in words) or (len(words) == 1 and re.match(r"[\w/.-]+ +-", words[0])):
            yield (*path, key), "an argument with a blank in it stays one argument: nothing splits it"
    words = step.get("args", [])
    if words[:2] in (["bash", "-c"], ["sh", "-c"]) and len(words) > 3:
        yield (*path, "args"), "bash -c runs only the one word behind it; the others are its $0, $1 …"


_RULES: tuple[Callable[[dict[str, Any]], Iterator[Remark]], ...] = (
    _release,
    _instances,
    _old_schemes,
    _tags,
    _steps,
)
