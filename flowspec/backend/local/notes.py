"""What is different on this machine from the cluster that a request asks for, as far as it can be known beforehand."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from flowspec.engines import HONOURED, engine_of, jvm
from flowspec.facts.releases import UNKNOWN, applications

# By engine: the application of a release that it stands for, and the jar whose name has the version here.
_VERSIONED = {"spark": ("Spark", "spark-core"), "hadoop": ("Hadoop", "hadoop-client-api")}


def remarks(params: Mapping[str, Any]) -> tuple[str, ...]:
    """What a RunJobFlow request asks for that is otherwise here, a sentence each."""
    jars = [step["HadoopJarStep"] for step in params.get("Steps", ())]
    engines = {engine_of(jar["Jar"], jar.get("MainClass"), jar.get("Args", ())) for jar in jars}
    label = params.get("ReleaseLabel", "")
    versions = (
        f"{label} has {name} {theirs}; here {ours}" for name, theirs, ours in version_differences(label, engines)
    )
    counting = HONOURED if engines & _VERSIONED.keys() else ()
    return (*versions, *_ignored(params.get("Configurations", ()), counting))


def version_differences(label: str, engines: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """The applications whose version differs, of those that the engines stand for: name, the release's, ours."""
    # The version of a Hadoop on PATH is not known without running it.
    counting = {engine for engine in engines if engine == "spark" or not shutil.which("hadoop")}
    spark = jvm.find_spark() if counting & _VERSIONED.keys() else None
    if spark is None:
        return
    known = applications(label) or {}
    for engine, (name, library) in _VERSIONED.items():
        theirs, ours = known.get(name, ""), spark.version(library)
        if engine in counting and theirs not in ("", UNKNOWN, ours) and ours:
            yield name, theirs, ours


def _ignored(configurations: Sequence[Mapping[str, Any]], counting: Collection[str]) -> Iterator[str]:
    names = [one.get("Classification", "") for one in configurations]
    ignored = [name for name in dict.fromkeys(names) if name not in counting]
    if ignored:
        yield f"configurations without effect here: {', '.join(ignored)}"
