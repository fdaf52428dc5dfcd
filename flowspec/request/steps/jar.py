"""`type: jar`: a jar with its main class, arguments and Java properties; it can express every HadoopJarStep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.request.pairs import mapping_of, pairs_of
from flowspec.request.steps.access import Access, arguments, file_fields
from flowspec.request.steps.kind import Fields, SpecStep
from flowspec.request.steps.target import COMMAND_RUNNER, HadoopJarStep, StepTarget


def compile(step: SpecStep) -> dict[str, Any]:
    """Returns the members of HadoopJarStep that the step has."""
    # command-runner.jar has no path, and yet is not a file beside the spec.
    is_runner = step.fields["jar"] == COMMAND_RUNNER
    out: dict[str, Any] = {"Jar": COMMAND_RUNNER if is_runner else step.file("jar")}
    if "main_class" in step.fields:
        out["MainClass"] = step.fields["main_class"]
    if "args" in step.fields:
        out["Args"] = list(step.fields["args"])
    if "properties" in step.fields:
        out["Properties"] = pairs_of(step.fields["properties"])
    return out


def recognize(step: HadoopJarStep, _target: StepTarget) -> Fields | None:
    """Returns the step with all members. Raises `Inexpressible` for properties that no mapping can hold."""
    out = {"jar": step["Jar"]}
    if "MainClass" in step:
        out["main_class"] = step["MainClass"]
    if "Args" in step:
        out["args"] = step["Args"]
    if "Properties" in step:
        out["properties"] = mapping_of(step["Properties"], "properties of a step")
    return out


def accesses(fields: Fields) -> Iterator[Access]:
    """Yields the jar and the URIs in its arguments."""
    yield from file_fields(fields, "jar")
    yield from arguments(fields.get("args", ()))
