"""The interface of a kind of step, and the arguments of its functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import Files, is_relative
from flowspec.request.steps.access import Access
from flowspec.request.steps.options import Table, words
from flowspec.request.steps.target import HadoopJarStep, StepTarget

Fields: TypeAlias = "dict[str, Any]"
"""The keys of a step in a spec that are of its kind: without name, type, on_failure and stage."""


class SpecStep(NamedTuple):
    """A step of a spec, valid by the schema, that is to be compiled. `at` is its path in the spec."""

    fields: Mapping[str, Any]
    at: KeyPath
    target: StepTarget
    files: Files

    @property
    def stages(self) -> bool:
        """True if relative paths are local files; `stage: false` sends them as they are written."""
        return bool(self.fields.get("stage", True))

    def file(self, key: str) -> Any:
        """Returns the file (or files) under a key as the request names it: a local one by its asset's URI."""
        value = self.fields[key]
        if isinstance(value, list):
            return [self._uri(text, (*self.at, key, index)) for index, text in enumerate(value)]
        return self._uri(value, (*self.at, key))

    def _uri(self, text: str, at: KeyPath) -> str:
        path, mark, name = text.partition("#")
        if not self.stages or not is_relative(path):
            return text
        asset = self.files.asset(path, at)
        return asset.linked(f"{mark}{name}", at) if asset else text

    def words(self, table: Table, raw: str, files: Collection[str] = ()) -> list[str]:
        """Returns the step's options as arguments, in the order of its keys.

        `raw` is the key of arguments that are taken as they are; `files` are the keys that name files.
        """
        out: list[str] = []
        for key, value in self.fields.items():
            if key == raw:
                out += value
            elif key in table:
                out += words(table[key], self.file(key) if key in files else value)
        return out


class StepKind(Protocol):
    """A kind of step: a module of this package, entered in `registry.KINDS` under the spec's word for it."""

    def compile(self, step: SpecStep, /) -> dict[str, Any]:
        """Returns the HadoopJarStep of a step of this kind."""

    def recognize(self, step: HadoopJarStep, target: StepTarget, /) -> Fields | None:
        """Returns the keys of a step of this kind that compiles to `step`; None when there is none.

        The result may be a guess: import compiles it, and drops it unless the compiled step equals `step`.
        """

    def accesses(self, fields: Fields, /) -> Iterator[Access]:
        """Yields the URIs that a step with these keys (as `recognize` gives them) reads and writes."""


def without_empty(**fields: Any) -> Fields:
    """Returns the fields whose value is not empty."""
    return {key: value for key, value in fields.items() if value}
