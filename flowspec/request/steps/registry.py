"""The table of the kinds of steps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.facts.api_model import KeyPath
from flowspec.plugins import STEPS, failing, plugins
from flowspec.request.assets import Files
from flowspec.request.steps import command, hive, jar, pig, s3_dist_cp, script, spark, streaming
from flowspec.request.steps.kind import Fields, SpecStep, StepKind
from flowspec.request.steps.target import HadoopJarStep, StepTarget

# Import takes the first kind that gives a step back, so `command` comes after those that command-runner.jar runs
# by name, and `jar`, which can express every step, comes last.
KINDS: Mapping[str, StepKind] = {
    "streaming": streaming,
    "spark": spark,
    "hive": hive,
    "pig": pig,
    "s3_dist_cp": s3_dist_cp,
    "script": script,
    "command": command,
    "jar": jar,
}
"""The module of each kind, by the value of a step's `type`."""


def recognized(step: HadoopJarStep, target: StepTarget) -> Iterator[tuple[str, Fields]]:
    """Yields the kinds that may give a step, with its keys: those of plugins first, which `command` would take, too."""
    for name, plugin in plugins(STEPS).items():
        with failing(STEPS, name):
            fields: Fields | None = plugin.recognize(step, target)
        if fields is not None:
            yield name, fields
    for name, kind in KINDS.items():
        if (fields := kind.recognize(step, target)) is not None:
            yield name, fields


def compile_step(fields: Mapping[str, Any], at: KeyPath, target: StepTarget, files: Files) -> dict[str, Any]:
    """Returns the HadoopJarStep of a step; `at` is its path in the spec. Findings about its files go to `files`."""
    step = SpecStep(fields, at, target, files)
    if kind := KINDS.get(fields["type"]):
        return kind.compile(step)
    with failing(STEPS, fields["type"]):
        # Of a tuple, or an enumeration's text, JSON keeps the list and the text that a request has.
        made: dict[str, Any] = json.loads(json.dumps(plugins(STEPS)[fields["type"]].compile(step)))
        return made
