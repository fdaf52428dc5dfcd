"""The interface of a friendlier shape, and the arguments of its functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

from flowspec.document.job_flow import JobFlow
from flowspec.document.schema import Schema
from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import Files
from flowspec.request.steps.target import StepTarget

ByDefinition: TypeAlias = "Callable[[Any, str], Any]"
"""Returns a value of a request as the schema's definition of this name has it. Raises `Inexpressible`."""


class Route(NamedTuple):
    """The path of a value in the spec, and the path of what it becomes in the request."""

    spec: KeyPath
    request: KeyPath

    def to(self, key: str | int, *members: str | int) -> Route:
        """Returns the route of what is under a key (or index), and becomes the member at these steps."""
        return Route((*self.spec, key), (*self.request, *members))

    def item(self, index: int) -> Route:
        """Returns the route of a list's item that stays at its index."""
        return self.to(index, index)


class CompileContext(Protocol):
    """The compilation of one job flow, as a shape sees it."""

    @property
    def jobflow(self) -> JobFlow:
        """The job flow that is compiled."""

    @property
    def files(self) -> Files:
        """Its local files, and the findings about them."""

    @property
    def target(self) -> StepTarget:
        """The target that decides the form of its steps."""

    def by_schema(self, value: Any, schema: Schema, route: Route) -> Any:
        """Compiles a value by rule, along its schema."""

    def by_definition(self, value: Any, name: str, route: Route) -> Any:
        """Compiles a value by rule, along the schema's definition of this name."""

    def came_from(self, route: Route) -> None:
        """Records where a part of the request comes from. Values that are compiled by rule need no such call."""


class Shape(Protocol):
    """A friendlier shape: a module of this package, entered in `registry.SHAPES` under the schema's `x-shape`."""

    def compile(self, value: Any, route: Route, context: CompileContext, /) -> Any:
        """Returns the member of the request. What it is made of, and is not by rule, is recorded by `came_from`."""

    def decompile(self, value: Any, by_definition: ByDefinition, /) -> Any:
        """Returns the value in the spec that compiles to a member. Raises `Inexpressible` where there is none."""
