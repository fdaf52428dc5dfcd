"""The table of the kinds of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.plugins import STEPS, failing, plugins
from flowspec.request.assets import Files
from flowspec.request.steps import command, hive, jar, pig, s3_dist_cp, script, spark, streaming
from flowspec.request.steps.kind import Path, SpecStep, StepKind
from flowspec.request.steps.target import StepTarget

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


def all_kinds() -> Mapping[str, StepKind]:
    """The kinds of `KINDS`, and before them those of plugins: what these know, `command` and `jar` would take, too."""
    return {**plugins(STEPS), **KINDS}


def compile_step(fields: Mapping[str, Any], at: Path, target: StepTarget, files: Files) -> dict[str, Any]:
    """The HadoopJarStep of a step; `at` is its path in the spec. Findings about its files go to `files`."""
    step = SpecStep(fields, at, target, files)
    if kind := KINDS.get(fields["type"]):
        return kind.compile(step)
    with failing(STEPS, fields["type"]):
        made: dict[str, Any] = plugins(STEPS)[fields["type"]].compile(step)
        return made
