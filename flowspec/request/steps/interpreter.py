"""The common part of Hive and Pig steps: EMR's own scripts fetch a program from S3 and interpret it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flowspec.request.steps.access import Access, arguments, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.options import Table, read
from flowspec.request.steps.target import HadoopJarStep, Invocation, StepTarget


class Interpreter(NamedTuple):
    """A `program` ("hive" or "pig") with its options: a kind of step."""

    program: str
    options: Table

    def invocation(self, target: StepTarget) -> Invocation:
        """Returns the program to run; an AMI takes the script from S3, and the version from its options."""
        name, run = f"{self.program}-script", f"--run-{self.program}-script"
        if not target.pre_emr4:
            return target.program(name, run, "--args")
        script = target.library(f"{self.program}/{name}")
        return target.program(script, run, f"--{self.program}-versions", "latest", "--args")

    def compile(self, step: SpecStep) -> dict[str, Any]:
        """Returns the program with the step's options and `args`."""
        return self.invocation(step.target).step(step.words(self.options, "args", ("script",)))

    def recognize(self, step: HadoopJarStep, target: StepTarget) -> Fields | None:
        """Returns the step; what follows the last option that is known becomes `args`."""
        words = self.invocation(target).args_of(step)
        if words is None:
            return None
        found, rest = read(words, self.options)
        return {**found, **without_empty(args=rest)}

    def accesses(self, fields: Fields) -> Iterator[Access]:
        """Yields the script and the URIs in what is defined for it and in its arguments."""
        yield from file_fields(fields, "script")
        for values in fields.values():
            if isinstance(values, dict):
                yield from arguments(values.values())
        yield from arguments(fields.get("args", ()))
