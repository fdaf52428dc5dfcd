"""Steps: one of several kinds in the spec, each with options of its own; a jar and arguments in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.document import schema as schemas
from flowspec.facts.api_model import KeyPath
from flowspec.facts.limits import MAX_STEP_CHARACTERS
from flowspec.facts.rules.steps import step_characters
from flowspec.request.shapes.shape import ByDefinition, CompileContext
from flowspec.request.steps.registry import compile_step


def compile(value: list[Any], at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the steps, without the one that `enable_debugging` puts before them."""
    first = 1 if context.jobflow.fields.get("enable_debugging") else 0
    return [_compiled(one, (*at, index), (*to, index + first), context) for index, one in enumerate(value)]


def _compiled(step: Mapping[str, Any], at: KeyPath, to: KeyPath, context: CompileContext) -> dict[str, Any]:
    context.origins |= {to: at, (*to, "Name"): (*at, "name")}
    out: dict[str, Any] = {"Name": step["name"]}
    default = context.jobflow.fields.get("action_on_failure")
    if "on_failure" in step or default is not None:
        out["ActionOnFailure"] = step.get("on_failure", default)
        said = (*at, "on_failure") if "on_failure" in step else ("action_on_failure",)
        context.origins[(*to, "ActionOnFailure")] = said
    out["HadoopJarStep"] = compile_step(step, at, context.target, context.files)
    _check_length(out["HadoopJarStep"], at, context)
    if "step_monitoring_configuration" in step:
        definition = schemas.strict()["$defs"][f"{step['type']}_step"]
        key, member = "step_monitoring_configuration", "StepMonitoringConfiguration"
        out[member] = context.convert(step[key], definition["properties"][key], (*at, key), (*to, member))
    return out


def _check_length(step: Mapping[str, Any], at: KeyPath, context: CompileContext) -> None:
    length = step_characters(step)
    if length > MAX_STEP_CHARACTERS and context.jobflow.traits.stages_files:
        message = f"the step is {length:,} characters long; EMR takes up to {MAX_STEP_CHARACTERS:,}"
        hint = "put long arguments into a file in S3, and give its URI"
        context.files.report("FS260", at, message, hint=hint)


def decompile(value: list[dict[str, Any]], _by_definition: ByDefinition) -> list[dict[str, Any]]:
    """Returns the steps unchanged: their kinds depend on the release, which only the whole request contains.

    They are found afterwards, by `importers.decompile.steps`.
    """
    return value
