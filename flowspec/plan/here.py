"""What is different on this machine from the cluster that a request asks for, as far as it can be known beforehand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flowspec.engines import HONOURED, engine_of, jvm
from flowspec.spec import releases

# By engine: the application of a release that it stands for, and the jar whose name has the version here.
_VERSIONED = {"spark": ("Spark", "spark-core"), "hadoop": ("Hadoop", "hadoop-client-api")}


def engine_of_step(jar: Mapping[str, Any]) -> str:
    """The engine that runs a HadoopJarStep here; "" when none can."""
    return engine_of(jar["Jar"], jar.get("MainClass"), jar.get("Args", ()))


def remarks(params: Mapping[str, Any]) -> tuple[str, ...]:
    """What a RunJobFlow request asks for that is otherwise here, a sentence each."""
    engines = {engine_of_step(step["HadoopJarStep"]) for step in params.get("Steps", ())}
    label = params.get("ReleaseLabel", "")
    versions = (
        f"{label} has {name} {theirs}; here {ours}" for name, theirs, ours in version_differences(label, engines)
    )
    return (*versions, *_ignored(params.get("Configurations", ())))


def version_differences(label: str, engines: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """The applications whose version differs, of those that the engines stand for: name, the release's, ours."""
    spark = jvm.find_spark() if any(engine in _VERSIONED for engine in engines) else None
    if spark is None:
        return
    known = releases.applications(label) or {}
    for engine, (name, library) in _VERSIONED.items():
        theirs, ours = known.get(name, ""), spark.version(library)
        if engine in engines and theirs not in ("", releases.UNKNOWN, ours) and ours:
            yield name, theirs, ours


def _ignored(configurations: Any) -> Iterator[str]:
    names = [one.get("Classification", "") for one in configurations]
    ignored = [name for name in dict.fromkeys(names) if name not in HONOURED]
    if ignored:
        yield f"configurations without effect here: {', '.join(ignored)}"
