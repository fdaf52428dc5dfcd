"""Differences between this machine and EMR: before a run (`assess`) and after it (`fidelity_of`)."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.engines import HONOURED, engine_of, jvm, unsupported
from flowspec.facts.pythons import python_of
from flowspec.facts.releases import UNKNOWN, applications
from flowspec.plan.changes import Assessment

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.plan.cluster import Cluster

# The name of an archive of Python packages (`flowspec.request.packages`).
_PACKAGES = re.compile(r"/[0-9a-f]{64}/python(3\.\d+)-\w+\.zip")
# For each engine: the application of a release that it runs, and the jar whose name contains the installed version.
_VERSIONED = {"spark": ("Spark", "spark-core"), "hadoop": ("Hadoop", "hadoop-client-api")}


class LocalFidelity(NamedTuple):
    """The parts of a local run that were executed, and those that were simulated.

    `steps` counts the executed ones by engine, `bootstrap_ran` those of the `bootstrap_actions`; `instances`
    were simulated, and so were IAM roles if `roles`. `versions` are those that differ from the release's:
    application, its version there, its version here.
    """

    steps: Mapping[str, int]
    instances: int
    bootstrap_actions: int
    bootstrap_ran: int
    roles: bool
    release: str
    versions: tuple[tuple[str, str, str], ...]


def assess(params: Mapping[str, Any]) -> Assessment:
    """Reports which steps of a RunJobFlow request can't run on this machine, and what differs from EMR."""
    jars = [step["HadoopJarStep"] for step in params.get("Steps", ())]
    steps = [(jar["Jar"], jar.get("MainClass"), jar.get("Args", ())) for jar in jars]
    reasons = ((index, unsupported(*step)) for index, step in enumerate(steps))
    return Assessment(
        unsupported={index: reason for index, reason in reasons if reason},
        remarks=tuple(_differences_from_emr(params, {engine_of(*step) for step in steps})),
        bootstrap_note="is run on this machine only with --run-bootstrap",
    )


def _differences_from_emr(params: Mapping[str, Any], engines: Collection[str]) -> Iterator[str]:
    label = params.get("ReleaseLabel", "")
    for name, theirs, ours in version_differences(label, engines):
        yield f"{label} has {name} {theirs}; this machine has {ours}"
    yield from _python_differences(params, label)
    yield from _ignored_configurations(
        params.get("Configurations", ()), HONOURED if _VERSIONED.keys() & engines else ()
    )


def version_differences(label: str, engines: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yields applications that the engines run in another version than the release: name, its version, ours."""
    # The version of a Hadoop on PATH is known only by running it, and a plan runs nothing.
    counting = {engine for engine in engines if engine == "spark" or not shutil.which("hadoop")}
    spark = jvm.find_spark() if counting & _VERSIONED.keys() else None
    if spark is None:
        return
    known = applications(label) or {}
    for engine, (name, library) in _VERSIONED.items():
        theirs, ours = known.get(name, ""), spark.version(library)
        if engine in counting and theirs not in ("", UNKNOWN, ours) and ours:
            yield name, theirs, ours


def _python_differences(params: Mapping[str, Any], label: str) -> Iterator[str]:
    """Reports that Python packages are packed for another Python version than that of the release."""
    words = (word for step in params.get("Steps", ()) for word in step["HadoopJarStep"].get("Args", ()))
    names = dict.fromkeys(found[1] for word in words for found in _PACKAGES.finditer(word))
    release = python_of(label)
    for version in names:
        theirs = (
            f"{label} has Python {release.versions[0]}" if release else f"the Python of {label or 'EMR'} is not known"
        )
        if release is None or version != release.versions[0]:
            yield f"{theirs}; the Python packages are packed for this machine's {version}"


def _ignored_configurations(configurations: Sequence[Mapping[str, Any]], counting: Collection[str]) -> Iterator[str]:
    names = [one.get("Classification", "") for one in configurations]
    ignored = [name for name in dict.fromkeys(names) if name not in counting]
    if ignored:
        yield f"configurations without effect on this machine: {', '.join(ignored)}"


def fidelity_of(emr: Emr, home: Path, cluster: Cluster) -> LocalFidelity:
    """Reads from the embedded EMR, whose files are in `home`, what of a run was executed."""
    from flowspec.emulator.state.paths import bootstrap_folder

    raw = emr.call("DescribeCluster", ClusterId=cluster.id)["Cluster"]
    names = (engine_of(step.jar, step.main_class or None, step.args) for step in cluster.steps if step.started)
    engines = Counter(filter(None, names))
    actions = list(emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster.id))
    numbers = range(1, len(actions) + 1)
    return LocalFidelity(
        steps=dict(engines),
        instances=sum(1 for _ in emr.pages("ListInstances", "Instances", ClusterId=cluster.id)),
        bootstrap_actions=len(actions),
        bootstrap_ran=sum(bootstrap_folder(home, cluster.id, number).exists() for number in numbers),
        roles=bool(raw.get("ServiceRole") or raw.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile")),
        release=cluster.release_label,
        versions=tuple(version_differences(cluster.release_label, engines)),
    )
