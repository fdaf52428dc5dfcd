"""`type: command`: any program of the master node with its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.request.steps.access import Access, arguments
from flowspec.request.steps.kind import Fields, SpecStep
from flowspec.request.steps.target import HadoopJarStep, StepTarget


def compile(step: SpecStep) -> dict[str, Any]:
    """Compiles a step to command-runner.jar (or an AMI's script-runner.jar) with the `args`."""
    return step.target.program().step(step.fields["args"])


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """Returns the step of whatever program is run."""
    words = target.program().args_of(step)
    return {"args": words} if words else None


def accesses(fields: Fields) -> Iterator[Access]:
    """Returns the URIs in the arguments."""
    return arguments(fields["args"])
