"""The interface of a friendlier shape, and what its functions are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from flowspec.document.api_form import ApiForm
from flowspec.document.job_flow import JobFlow
from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import Files
from flowspec.request.steps.target import StepTarget

ByDefinition: TypeAlias = "Callable[[Any, str], Any]"
"""Returns a value of a request as the schema's definition of this name has it. Raises `Inexpressible`."""


class CompileContext(ApiForm):
    """The compilation of a job flow, for a shape: its local files, and what decides the form of its steps."""

    def __init__(self, jobflow: JobFlow) -> None:
        super().__init__()
        self.jobflow = jobflow
        self.files = Files(jobflow)
        self.target = StepTarget.of(jobflow.fields, jobflow.region)


class Shape(Protocol):
    """A friendlier shape: a module of this package, entered in `registry.SHAPES` under the schema's `x-shape`."""

    def compile(self, value: Any, at: KeyPath, to: KeyPath, context: CompileContext, /) -> Any:
        """Returns the member of the request at `to`. The origins of what is not converted by rule are recorded."""

    def decompile(self, value: Any, by_definition: ByDefinition, /) -> Any:
        """Returns the value in the spec that compiles to a member. Raises `Inexpressible` where there is none."""
