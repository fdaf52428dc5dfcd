"""What a release has, and what came only later. All of it is told as a warning: tables age, AWS decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flowspec.document.messages import Finding
from flowspec.document.nearest import nearest
from flowspec.document.rules.common import Path, Rule, Spec, hardware, items, release
from flowspec.facts.releases import applications, date, first_with, labels, names, numbers

_LOOKS_RIGHT = re.compile(r"emr-([a-z]+-)?\d+\.\d+(\.\d+)?(-.+)?")


def _note() -> tuple[str, ...]:
    return (f"flowspec's table of releases is of {date()}",)


def odd_label(spec: Spec) -> Iterator[Finding]:
    """Botocore's ReleaseLabel: labels are in the form emr-x.y.z."""
    label = spec.get("release_label")
    if isinstance(label, str) and label and not _LOOKS_RIGHT.fullmatch(label):
        hint = f"write emr-{label}" if re.fullmatch(r"\d+\.\d+\.\d+", label) else "they look like emr-7.5.0"
        yield Finding("FS226", ("release_label",), f"'{label[:60]}' does not look like a release", hint)


def unknown_release(spec: Spec) -> Iterator[Finding]:
    """EMR's ListReleaseLabels."""
    label = spec.get("release_label")
    if not isinstance(label, str) or not _LOOKS_RIGHT.fullmatch(label) or label in labels():
        return
    found = nearest(label, labels())
    hint = f"did you mean {found}?" if found else ""
    yield Finding("FS262", ("release_label",), f"'{label[:60]}' is not among the releases known", hint, _note())


def _named(spec: Spec) -> Iterator[tuple[Path, str]]:
    for index, one in enumerate(spec.get("applications") or ()):
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str):
            path: Path = ("applications", index, "name") if isinstance(one, dict) else ("applications", index)
            yield path, name


def unknown_application(spec: Spec) -> Iterator[Finding]:
    """AWS's EMR Release Guide. EMR takes names in any capitals. MapR and the like belong to AMI versions."""
    if "release_label" not in spec:
        return
    known = {name.lower() for name in names()}
    for path, name in _named(spec):
        if name.lower() not in known:
            found = nearest(name, names())
            hint = f"did you mean {found}?" if found else ""
            yield Finding("FS263", path, f"'{name[:60]}' is not among the applications known", hint, _note())


def application_of_another_release(spec: Spec) -> Iterator[Finding]:
    """AWS's EMR Release Guide, the applications of each release."""
    label = spec.get("release_label")
    there = applications(label) if isinstance(label, str) else None
    if there is None:
        return
    have = {name.lower() for name in there}
    known = {name.lower(): name for name in names()}
    for path, name in _named(spec):
        if name.lower() in known and name.lower() not in have:
            real = known[name.lower()]
            yield Finding("FS264", path, f"{label} does not have {real}", _instead(real, str(label), have), _note())


def _instead(name: str, label: str, have: set[str]) -> str:
    """What to do about an application that a release lacks."""
    for other in (f"{name}-Sandbox", name.removesuffix("-Sandbox"), "Trino" if name == "PrestoSQL" else ""):
        if other != name and other.lower() in have:
            return f"it is called {other} there"
    first = first_with(name)
    return f"since {first}" if numbers(first) > numbers(label) else "it was in earlier releases"


def presto_and_trino(spec: Spec) -> Iterator[Finding]:
    """AWS's EMR Release Guide, Presto and Trino: they can't run on one cluster."""
    found = [(path, name) for path, name in _named(spec) if name.lower() in ("presto", "trino", "prestosql")]
    for path, name in found[1:]:
        yield Finding("FS265", path, f"{found[0][1]} and {name} can't run on one cluster", "keep one")


class Feature(NamedTuple):
    """Something of RunJobFlow that is not in every release: since which, and where it is missing again."""

    what: str
    since: str
    uses: Callable[[Spec], Iterator[Path]]
    without: tuple[str, ...] = ()
    backported: tuple[str, ...] = ()


def too_new(spec: Spec) -> Iterator[Finding]:
    """The releases that botocore's RunJobFlow and the EMR Management Guide name for each feature."""
    version = release(spec)
    if version is None:
        return
    label = spec["release_label"]
    for feature in FEATURES:
        if _has(feature, version):
            continue
        for path in feature.uses(spec):
            but = f", not in {' and '.join(f'{one}.x' for one in feature.without)}" if feature.without else ""
            message = f"{feature.what} came with release {feature.since}{but}; this is {label}"
            yield Finding("FS261", path, message, "a later release", _note(), key=isinstance(path[-1], str))


def _has(feature: Feature, version: tuple[int, int, int]) -> bool:
    text = ".".join(map(str, version))
    if any(text.startswith(f"{one}.") for one in feature.without):
        return False
    return text in feature.backported or version >= numbers(feature.since)


def _key(*keys: str) -> Callable[[Spec], Iterator[Path]]:
    return lambda spec: ((key,) for key in keys if spec.get(key) is not None)


def _custom_amis(spec: Spec) -> Iterator[Path]:
    yield from _key("custom_ami_id")(spec)
    yield from ((*path, "custom_ami_id") for path, item in hardware(spec) if "custom_ami_id" in item)


def _three_masters(spec: Spec) -> Iterator[Path]:
    for index, group in items(spec, "instance_groups"):
        if group.get("role") == "MASTER" and group.get("count") == 3:
            yield ("instance_groups", index, "count")


def _three_masters_in_a_fleet(spec: Spec) -> Iterator[Path]:
    for index, fleet in items(spec, "instance_fleets"):
        if fleet.get("type") == "MASTER" and fleet.get("target_on_demand_capacity") == 3:
            yield ("instance_fleets", index, "target_on_demand_capacity")


def _strategies(spec: Spec) -> Iterator[Path]:
    for index, fleet in items(spec, "instance_fleets"):
        launch: Any = fleet.get("launch_specifications")
        for kind in launch if isinstance(launch, dict) else ():
            if isinstance(launch[kind], dict) and "allocation_strategy" in launch[kind]:
                yield ("instance_fleets", index, "launch_specifications", kind, "allocation_strategy")


def _says(key: str, value: str) -> Callable[[Spec], Iterator[Path]]:
    return lambda spec: ((one,) for one in (key,) if spec.get(one) == value)


def _concurrent(spec: Spec) -> Iterator[Path]:
    level = spec.get("step_concurrency_level")
    if isinstance(level, int) and level > 1:
        yield ("step_concurrency_level",)


FEATURES = (
    Feature("scaling down at task completion", "4.1.0", _says("scale_down_behavior", "TERMINATE_AT_TASK_COMPLETION")),
    Feature("instance fleets", "4.8.0", _key("instance_fleets"), without=("5.0",)),
    Feature("scaling down at the instance hour", "5.1.0", _says("scale_down_behavior", "TERMINATE_AT_INSTANCE_HOUR")),
    Feature("custom AMIs", "5.7.0", _custom_amis),
    Feature("allocation strategies", "5.12.1", _strategies),
    Feature("three masters", "5.23.0", _three_masters),
    Feature("placement groups", "5.23.0", _key("placement_group_configs")),
    Feature("steps side by side", "5.28.0", _concurrent),
    Feature("managed scaling", "5.30.0", _key("managed_scaling_policy"), without=("6.0",)),
    Feature("auto-termination", "5.30.0", _key("auto_termination_policy"), without=("6.0",)),
    Feature("encryption of logs", "5.30.0", _key("log_encryption_kms_key_id"), without=("6.0",)),
    Feature("speed of the root volume", "6.15.0", _key("ebs_root_volume_iops", "ebs_root_volume_throughput")),
    Feature(
        "three masters in a fleet",
        "6.12.0",
        _three_masters_in_a_fleet,
        backported=("5.36.1", "5.36.2", "6.8.1", "6.9.1", "6.10.1", "6.11.1"),
    ),
)

RULES: tuple[Rule, ...] = (
    odd_label,
    unknown_release,
    unknown_application,
    application_of_another_release,
    presto_and_trino,
    too_new,
)
