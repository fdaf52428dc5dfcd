"""`type: script`: a script that script-runner.jar downloads and runs on the master node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.request.steps.access import Access, arguments, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.target import HadoopJarStep, Invocation, StepTarget


def compile(step: SpecStep) -> dict[str, Any]:
    """Compiles a step to script-runner.jar with the script and its `args`.

    Releases have the jar too, in the same bucket.
    """
    return Invocation(step.target.script_runner).step([step.file("script"), *step.fields.get("args", ())])


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """Returns the step of a script-runner.jar."""
    words = Invocation(target.script_runner).args_of(step)
    if not words:
        return None
    script, *args = words
    # Before release 4.0.0 `type: command` runs by the same jar. A name without a folder is such a command.
    return {"script": script, **without_empty(args=args)} if "/" in script or not target.pre_emr4 else None


def accesses(fields: Fields) -> Iterator[Access]:
    """Yields the script and the URIs in its arguments."""
    yield from file_fields(fields, "script")
    yield from arguments(fields.get("args", ()))
