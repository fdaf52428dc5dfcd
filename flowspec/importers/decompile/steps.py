"""StepConfig -> a step of the spec, of the kind that says most about it.

A kind is only taken when compiling it gives back the very HadoopJarStep; else the next more general one
is tried, down to `jar`, which says all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.fits import fits
from flowspec.document.job_flow import JobFlow
from flowspec.document.tree import Document, Place, Source
from flowspec.document.tree import Mapping as MappingNode
from flowspec.importers.decompile.tree import Unsaid, by_definition, pairs
from flowspec.request import options
from flowspec.request.assets import Files
from flowspec.request.steps import (
    COMMAND_RUNNER,
    DEFAULT_REGION,
    OLD_S3_DIST_CP,
    OLD_STREAMING,
    World,
    debugging_step,
    hadoop_jar_step,
)

Step: TypeAlias = "dict[str, Any]"

_SCRIPT_RUNNER = re.compile(r"s3://([a-z0-9-]+)\.elasticmapreduce/libs/script-runner/script-runner\.jar")


@dataclass(frozen=True)
class Steps:
    """The steps of a spec: `debugging` says that the first one of the request is what enable_debugging adds."""

    items: list[Step] | None
    debugging: bool = False


def region_of(configs: list[dict[str, Any]]) -> str | None:
    """The region whose script-runner.jar most steps name; None when that is the default, or there is none."""
    found = Counter(
        match[1] for config in configs if (match := _SCRIPT_RUNNER.fullmatch(config["HadoopJarStep"]["Jar"]))
    )
    region = found.most_common(1)[0][0] if found else None
    return None if region == DEFAULT_REGION else region


class Recognizer:
    """Finds the words for steps, for one world and for a spec that will stand in `folder`."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        source = Source("")
        document = Document(folder / "job.yaml", source, MappingNode({}, Place(source, 1, 1)))
        self._jobflow = JobFlow("", "", "emr", world.region, None, None, None, document.path, {}, document)

    def steps(self, configs: list[dict[str, Any]], has_log_uri: bool, skipped: Mapping[int, int]) -> Steps:
        """The steps; of the one at an index, as many kinds as `skipped` says are not taken. Raises `Unsaid`."""
        debugging = has_log_uri and bool(configs) and configs[0] == debugging_step(self.world)
        rest = configs[1:] if debugging else configs
        items = [self._step(config, skipped.get(index, 0)) for index, config in enumerate(rest)]
        return Steps(items if items or not debugging else None, debugging)

    def _step(self, config: dict[str, Any], skipped: int) -> Step:
        fitting = self._fitting(config)
        for _ in range(skipped):
            if next(fitting, None) is None:
                break
        step = next(fitting, None)
        if step is None:
            raise Unsaid("a step that the spec has no words for")
        return step

    def _fitting(self, config: dict[str, Any]) -> Iterator[Step]:
        wanted = config["HadoopJarStep"]
        rest = _rest(config)
        for kind, read in _KINDS.items():
            fields = read(wanted, self.world)
            if fields is None:
                continue
            for more in ({}, {"stage": False}):
                step = {"name": config["Name"], "type": kind, **fields, **more, **rest}
                if self._says(step, wanted):
                    yield step
                    break

    def _says(self, step: Step, wanted: dict[str, Any]) -> bool:
        root = schemas.strict()
        if not fits(step, root["$defs"]["step"], root):
            return False
        files = Files(self._jobflow)
        try:
            made = hadoop_jar_step(step, (), self.world, files)
        except OSError:  # what was taken for a local file can't even be the name of one
            return False
        return made == wanted and not files.found and not files.assets


def _rest(config: dict[str, Any]) -> Step:
    """What all kinds of steps have."""
    out = {}
    if "ActionOnFailure" in config:
        out["on_failure"] = config["ActionOnFailure"]
    if "StepMonitoringConfiguration" in config:
        monitoring = {"StepMonitoringConfiguration": config["StepMonitoringConfiguration"]}
        said = by_definition({"Name": "", **monitoring}, "jar_step")
        out["step_monitoring_configuration"] = said["step_monitoring_configuration"]
    return out


def _run(step: dict[str, Any], world: World) -> list[str] | None:
    """The words that run on the master, when nothing but words is said."""
    jar = world.script_runner if world.old else COMMAND_RUNNER
    return step["Args"] or None if set(step) == {"Jar", "Args"} and step["Jar"] == jar else None


def _after(words: list[str] | None, head: list[str]) -> list[str] | None:
    return words[len(head) :] if words and words[: len(head)] == head else None


def _given(**fields: Any) -> Step:
    """The fields that have something to say."""
    return {key: value for key, value in fields.items() if value}


def _streaming(step: dict[str, Any], world: World) -> Step | None:
    words, own = _after(_run(step, world), ["hadoop-streaming"]), {}
    if set(step) == {"Jar", "Args"} and re.search(r"streaming[^/]*\.jar$", step["Jar"]):
        words, own = step["Args"], {} if world.old and step["Jar"] == OLD_STREAMING else {"jar": step["Jar"]}
    if words is None:
        return None
    generic, words = _generic(words)
    streaming, left = options.read(words, options.STREAMING)
    if streaming.get("reducer") == "NONE":
        streaming["reducer"] = "none"
    return {**own, **streaming, **_given(args=left), **generic}


def _generic(words: list[str]) -> tuple[Step, list[str]]:
    """Hadoop's generic options, which come first; those that a mapping can't say stay words."""
    found, rest = options.read(words, options.GENERIC)
    extra: list[str] = []
    while rest and (count := options.generic_length(rest[0])):
        extra += rest[:count]
        rest = rest[count:]
    return {**found, **_given(generic_args=extra)}, rest


def _spark(step: dict[str, Any], world: World) -> Step | None:
    submit = "/home/hadoop/spark/bin/spark-submit" if world.old else "spark-submit"
    words = _after(_run(step, world), [submit])
    if words is None:
        return None
    found, rest = options.read(words, options.SPARK)
    again: list[str] = []
    arity = {option.flag: 1 if option.form == "switch" else 2 for option in options.SPARK.values()}
    while rest and rest[0] in arity:
        again, rest = again + rest[: arity[rest[0]]], rest[arity[rest[0]] :]
    if not rest or rest[0].startswith("-"):
        return None
    return {"application": rest[0], **found, **_given(spark_args=again, args=rest[1:])}


def _interpreted(program: str) -> Callable[[dict[str, Any], World], Step | None]:
    def read(step: dict[str, Any], world: World) -> Step | None:
        head = [f"{program}-script", f"--run-{program}-script", "--args"]
        if world.old:
            library = world.library(f"{program}/{program}-script")
            head = [library, head[1], f"--{program}-versions", "latest", "--args"]
        words = _after(_run(step, world), head)
        if words is None:
            return None
        found, rest = options.read(words, options.INTERPRETERS[program])
        return {**found, **_given(args=rest)}

    return read


def _s3_dist_cp(step: dict[str, Any], world: World) -> Step | None:
    words = _after(_run(step, world), ["s3-dist-cp"])
    if world.old:
        words = step["Args"] if set(step) == {"Jar", "Args"} and step["Jar"] == OLD_S3_DIST_CP else None
    if words is None:
        return None
    found, rest = options.read(words, options.S3_DIST_CP)
    return {**found, **_given(args=rest)}


def _script(step: dict[str, Any], world: World) -> Step | None:
    if set(step) != {"Jar", "Args"} or step["Jar"] != world.script_runner or not step["Args"]:
        return None
    script, *args = step["Args"]
    # Before release 4.0.0 this is how commands are run, too.
    return {"script": script, **_given(args=args)} if "/" in script or not world.old else None


def _command(step: dict[str, Any], world: World) -> Step | None:
    words = _run(step, world)
    return {"args": words} if words else None


def _jar(step: dict[str, Any], world: World) -> Step | None:  # noqa: ARG001 - kinds are read alike
    out = {"jar": step["Jar"]}
    if "MainClass" in step:
        out["main_class"] = step["MainClass"]
    if "Args" in step:
        out["args"] = step["Args"]
    if "Properties" in step:
        out["properties"] = pairs(step["Properties"], "properties of a step")
    return out


_KINDS: Mapping[str, Callable[[dict[str, Any], World], Step | None]] = {
    "streaming": _streaming,
    "spark": _spark,
    "hive": _interpreted("hive"),
    "pig": _interpreted("pig"),
    "s3_dist_cp": _s3_dist_cp,
    "script": _script,
    "command": _command,
    "jar": _jar,
}
