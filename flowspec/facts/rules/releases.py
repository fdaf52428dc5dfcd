"""Rules about releases: which exist, which applications they have, and when a feature was introduced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from flowspec.errors import shorten
from flowspec.facts.api_model import KeyPath
from flowspec.facts.releases import Version, applications, existence, first_with, names, numbers, parse
from flowspec.facts.rules.common import (
    Breach,
    Params,
    doubtful,
    has_three_masters,
    integer,
    machines,
    mapping,
    mappings,
    refused,
    text,
    three_masters,
    three_masters_in_a_fleet,
)


@refused("FS226", "EMR's ListReleaseLabels; words: mrjob")
def release_exists(params: Params) -> Iterator[Breach]:
    """A release label is one that EMR has, or may have released since the table was made."""
    label = text(params.get("ReleaseLabel"))
    if label and existence(label) == "none":
        case = "" if parse(label) else "form"
        yield Breach(
            ("ReleaseLabel",), f"The supplied release label is invalid: {label}.", case, {"label": shorten(label)}
        )


@doubtful("FS262", "EMR's ListReleaseLabels")
def release_is_known(params: Params) -> Iterator[Breach]:
    """A release label is in the table."""
    label = text(params.get("ReleaseLabel"))
    if label and existence(label) == "possible":
        yield Breach(("ReleaseLabel",), values={"label": shorten(label)})


@cache
def _by_lower_name() -> dict[str, str]:
    return {name.lower(): name for name in names()}


def _named_applications(params: Params) -> Iterator[tuple[KeyPath, str]]:
    for index, one in mappings(params, "Applications"):
        if text(one.get("Name")):
            yield ("Applications", index, "Name"), one["Name"]


@doubtful("FS263", "AWS's EMR Release Guide; EMR compares names without case")
def applications_are_known(params: Params) -> Iterator[Breach]:
    """An application of a release is in the table."""
    if not params.get("ReleaseLabel"):
        return
    for path, name in _named_applications(params):
        if name.lower() not in _by_lower_name():
            yield Breach(path, values={"name": shorten(name)})


@doubtful("FS264", "AWS's EMR Release Guide, the applications of each release")
def release_has_applications(params: Params) -> Iterator[Breach]:
    """An application is in the release."""
    label = text(params.get("ReleaseLabel"))
    offered = applications(label) if label else None
    if offered is None:
        return
    lowered = {name.lower() for name in offered}
    for path, name in _named_applications(params):
        real = _by_lower_name().get(name.lower())
        if real and name.lower() not in lowered:
            yield Breach(
                path, values={"label": label, "name": real, "remedy": _application_remedy(real, label, lowered)}
            )


def _application_remedy(name: str, label: str, offered: set[str]) -> str:
    for other in (f"{name}-Sandbox", name.removesuffix("-Sandbox"), "Trino" if name == "PrestoSQL" else ""):
        if other != name and other.lower() in offered:
            return f"it is called {other} there"
    first = first_with(name)
    return f"since {first}" if numbers(first) > numbers(label) else "it was in earlier releases"


@doubtful("FS265", "AWS's EMR Release Guide, Presto and Trino")
def presto_or_trino(params: Params) -> Iterator[Breach]:
    """Presto and Trino can't run on one cluster."""
    found = [
        (path, name) for path, name in _named_applications(params) if name.lower() in ("presto", "trino", "prestosql")
    ]
    for path, name in found[1:]:
        yield Breach(path, values={"first": found[0][1], "second": name})


# -- features


class Feature(NamedTuple):
    """A feature of RunJobFlow and the release that introduced it.

    `without` names minor versions that lack it although they are later, `backported` earlier releases
    that have it. `words` is EMR's answer where it is known to refuse the feature; "" elsewhere.
    """

    name: str
    since: str
    uses: Callable[[Params], Iterator[KeyPath]]
    without: tuple[str, ...] = ()
    backported: tuple[str, ...] = ()
    words: str = ""

    def is_in(self, version: Version | None) -> bool:
        """Returns True if a release of this version has it. None (AMI versions) is earlier than all."""
        if version is None:
            return False
        is_later = version >= numbers(self.since)
        if not self.without and not self.backported:
            return is_later
        written = ".".join(map(str, version))
        if any(written.startswith(f"{one}.") for one in self.without):
            return False
        return written in self.backported or is_later


def _member_is_set(*path: str) -> Callable[[Params], Iterator[KeyPath]]:
    return lambda params: (one for one in (path,) if mapping(params, *path[:-1]).get(path[-1]) not in (None, []))


def _custom_amis(params: Params) -> Iterator[KeyPath]:
    yield from _member_is_set("CustomAmiId")(params)
    yield from ((*path, "CustomAmiId") for path, machine in machines(params) if machine.get("CustomAmiId"))


def _strategies(params: Params) -> Iterator[KeyPath]:
    for path, fleet in params.fleets:
        launch = mapping(fleet, "LaunchSpecifications")
        for kind in launch:
            if "AllocationStrategy" in mapping(launch, kind):
                yield (*path, "LaunchSpecifications", kind, "AllocationStrategy")


def _scales_down(behavior: str) -> Callable[[Params], Iterator[KeyPath]]:
    path = ("ScaleDownBehavior",)
    return lambda params: iter([path] if params.get(*path) == behavior else [])


def _concurrent_steps(params: Params) -> Iterator[KeyPath]:
    if (integer(params.get("StepConcurrencyLevel")) or 1) > 1:
        yield ("StepConcurrencyLevel",)


def _root_volume_speed(params: Params) -> Iterator[KeyPath]:
    yield from _member_is_set("EbsRootVolumeIops")(params)
    yield from _member_is_set("EbsRootVolumeThroughput")(params)


REFUSED_FEATURES = (
    Feature(
        "instance fleets",
        "4.8.0",
        _member_is_set("Instances", "InstanceFleets"),
        without=("5.0",),
        words="Instance fleets are not available for the release.",
    ),
    Feature("custom AMIs", "5.7.0", _custom_amis, words="Custom AMI is not allowed"),
    Feature(
        "steps that run at the same time",
        "5.28.0",
        _concurrent_steps,
        words="StepConcurrencyLevel greater than 1 is only supported by emr-5.28.0 and later.",
    ),
    Feature(
        "managed scaling",
        "5.30.0",
        _member_is_set("ManagedScalingPolicy"),
        without=("6.0",),
        words="Managed scaling is only supported by emr-5.30.0 and later, except emr-6.0.0.",
    ),
    Feature(
        "auto-termination",
        "5.30.0",
        _member_is_set("AutoTerminationPolicy"),
        without=("6.0",),
        words="Auto-termination is not available for this account when using this release of EMR.",
    ),
)
OTHER_FEATURES = (
    Feature("scaling down at task completion", "4.1.0", _scales_down("TERMINATE_AT_TASK_COMPLETION")),
    Feature("scaling down at the instance hour", "5.1.0", _scales_down("TERMINATE_AT_INSTANCE_HOUR")),
    Feature("allocation strategies", "5.12.1", _strategies),
    Feature("three masters", "5.23.0", three_masters),
    Feature("placement groups", "5.23.0", _member_is_set("PlacementGroupConfigs")),
    Feature("encryption of logs", "5.30.0", _member_is_set("LogEncryptionKmsKeyId"), without=("6.0",)),
    Feature("IOPS and throughput of the root volume", "6.15.0", _root_volume_speed),
    Feature(
        "three masters in a fleet",
        "6.12.0",
        three_masters_in_a_fleet,
        backported=("5.36.1", "5.36.2", "6.8.1", "6.9.1", "6.10.1", "6.11.1"),
    ),
)


def _missing_features(features: tuple[Feature, ...], params: Params) -> Iterator[Breach]:
    label = text(params.get("ReleaseLabel"))
    ami = text(params.get("AmiVersion")) or text(params.instances.get("HadoopVersion"))
    version = parse(label)
    if version is None and (label or not ami):
        return
    for feature in features:
        if feature.is_in(version):
            continue
        without = f", not in {' and '.join(f'{one}.x' for one in feature.without)}" if feature.without else ""
        values = {
            "feature": feature.name,
            "since": feature.since,
            "without": without,
            "label": label or f"AMI version {ami}",
        }
        for path in feature.uses(params):
            yield Breach(path, feature.words, values=values)


@refused("FS271", "botocore, RunJobFlow; EMR Management Guide; mrjob; Terraform provider")
def features_that_emr_refuses(params: Params) -> Iterator[Breach]:
    """A feature that EMR refuses for earlier releases is in the release."""
    return _missing_features(REFUSED_FEATURES, params)


@doubtful("FS261", "botocore, RunJobFlow; EMR Management Guide")
def other_features(params: Params) -> Iterator[Breach]:
    """A feature is in the release."""
    return _missing_features(OTHER_FEATURES, params)


# -- running clusters

NOT_RECONFIGURED = (
    "Reconfiguring a running cluster is only supported by emr-5.21.0 and later: classifications of Phoenix by "
    "emr-5.23.0, a cluster with three masters by emr-5.27.0, classifications of HBase by emr-5.30.0."
)


def reconfigures(request: Mapping[str, Any], configurations: Iterable[Mapping[str, Any]]) -> bool:
    """Returns True if the running cluster of a RunJobFlow request takes these configurations for a group or fleet.

    Source: EMR Release Guide, "Reconfigure an instance group in a running cluster".
    """
    version = parse(request.get("ReleaseLabel"))
    needed = ["5.21.0", *(["5.27.0"] if has_three_masters(Params(request)) else ())]
    for one in configurations:
        product = text(one.get("Classification")).partition("-")[0]
        needed += {"phoenix": ["5.23.0"], "hbase": ["5.30.0"]}.get(product, ())
    return version is not None and all(version >= numbers(since) for since in needed)
