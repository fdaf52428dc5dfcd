"""StepConfig -> a step of the spec, of the kind that expresses most of it.

A kind is only taken when compiling it gives the very HadoopJarStep again; else the next, more general one is
tried, down to `jar`, which can express all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.checking.fits import fits
from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import Document, Place, Source
from flowspec.document.text.tree import Mapping as MappingNode
from flowspec.importers.decompile.fields import by_definition
from flowspec.importers.placeholders import placeholder_name
from flowspec.request.assets import Files
from flowspec.request.pairs import Inexpressible
from flowspec.request.steps.registry import compile_step, recognized
from flowspec.request.steps.target import DEFAULT_REGION, StepTarget, debugging_step

Step: TypeAlias = "dict[str, Any]"

_SCRIPT_RUNNER = re.compile(r"s3://([a-z0-9-]+)\.elasticmapreduce/libs/script-runner/script-runner\.jar")


class Steps(NamedTuple):
    """The steps of a spec. `debugging`: the first one of the request is what `enable_debugging` adds."""

    items: list[Step] | None
    debugging: bool = False


def region_of(configs: list[dict[str, Any]]) -> str | None:
    """Returns the region whose script-runner.jar most steps run; None for the default region, or when none runs it."""
    found = Counter(
        match[1] for config in configs if (match := _SCRIPT_RUNNER.fullmatch(config["HadoopJarStep"]["Jar"]))
    )
    region = found.most_common(1)[0][0] if found else None
    return None if region == DEFAULT_REGION else region


class Recognizer:
    """Decompiles steps, for one target and for a spec that will be in `folder`."""

    def __init__(self, target: StepTarget, folder: Path) -> None:
        self.target = target
        source = Source("")
        document = Document(folder / "job.yaml", source, MappingNode({}, Place(source, 1, 1)))
        self._jobflow = JobFlow("", "", "emr", target.region, None, None, None, document.path, {}, document)

    def steps(self, configs: list[dict[str, Any]], has_log_uri: bool, skipped: Mapping[int, int]) -> Steps:
        """Returns the steps of a request. Raises `Inexpressible`.

        `skipped`: of the step at an index, the number of fitting kinds that are passed over.
        """
        # enable_debugging needs a log_uri; without one the step is written as it is.
        debugging = has_log_uri and bool(configs) and configs[0] == debugging_step(self.target)
        rest = configs[1:] if debugging else configs
        items = [self._step(config, skipped.get(index, 0)) for index, config in enumerate(rest)]
        return Steps(items if items or not debugging else None, debugging)

    def _step(self, config: dict[str, Any], skipped: int) -> Step:
        step = next(islice(self._matching_steps(config), skipped, None), None)
        if step is None:
            raise Inexpressible("a step that no step type of the spec can express")
        return step

    def _matching_steps(self, config: dict[str, Any]) -> Iterator[Step]:
        wanted = config["HadoopJarStep"]
        # Arguments that a variable will have are recognized as one word, of which nothing is known.
        variable = {"args": wanted["Args"]} if placeholder_name(wanted.get("Args")) else {}
        wanted = {**wanted, "Args": [wanted["Args"]]} if variable else wanted
        rest = _common_keys(config)
        for name, fields in recognized(wanted, self.target):
            for more in ({}, {"stage": False}):
                step = {"name": config["Name"], "type": name, **fields, **more, **rest}
                if self._compiles_to(step, wanted):
                    yield {**step, **variable}
                    break

    def _compiles_to(self, step: Step, wanted: dict[str, Any]) -> bool:
        root = schemas.strict()
        # Of a value that a variable will have, the variable's own rules say what it may be.
        stated = {key: one for key, one in step.items() if key != "on_failure" or not placeholder_name(one)}
        if not fits(stated, root["$defs"]["step"], root):
            return False
        files = Files(self._jobflow)
        try:
            made = compile_step(step, (), self.target, files)
        except OSError:  # a text that is taken for a local file, and can't even be the name of one
            return False
        return made == wanted and not files.found and not files.assets


def _common_keys(config: dict[str, Any]) -> Step:
    """Returns the keys that steps of all kinds have."""
    out = {}
    if "ActionOnFailure" in config:
        out["on_failure"] = config["ActionOnFailure"]
    if "StepMonitoringConfiguration" in config:
        monitoring = {"StepMonitoringConfiguration": config["StepMonitoringConfiguration"]}
        fields = by_definition({"Name": "", **monitoring}, "jar_step")
        out["step_monitoring_configuration"] = fields["step_monitoring_configuration"]
    return out
