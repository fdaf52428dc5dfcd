"""The data that a request reads and writes, as far as it is known without running the request.

The kinds of steps know their own options (`accesses`); the arguments of a user's program are URIs of unknown use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from flowspec.facts.api_model import KeyPath
from flowspec.facts.uris import is_s3, split_s3
from flowspec.request.pairs import Inexpressible
from flowspec.request.steps.access import Access, Use, arguments
from flowspec.request.steps.registry import KINDS
from flowspec.request.steps.target import HadoopJarStep, StepTarget

GLOB = re.compile(r"[*?\[{\\]")
_WRITES = frozenset({Use.OUTPUT, Use.TARGET, Use.ARGUMENT})


class DataUse(NamedTuple):
    """A `uri` that a part of a request uses.

    `part` names the part for people ("step count words"), `path` is its path in the request, and `step` its index in
    Steps; None if it does not belong to a step. `under_way` says that the step is already on a cluster, and has not
    ended.
    """

    uri: str
    use: Use
    part: str
    path: KeyPath
    step: int | None = None
    under_way: bool = False

    @property
    def may_write(self) -> bool:
        """True unless it is known that the data is only read."""
        return self.use in _WRITES


def data_uses(params: Mapping[str, Any], region: str | None = None) -> tuple[DataUse, ...]:
    """Returns the data that the parameters of RunJobFlow name, in their order; `region` is where EMR runs."""
    return (*_uses_outside_steps(params), *step_uses(params, region))


def step_uses(
    params: Mapping[str, Any], region: str | None = None, *, only: slice = slice(None)
) -> tuple[DataUse, ...]:
    """Returns the data that the steps name, or `only` those of some of them."""
    target = StepTarget.of(_release_members(params), region)
    return tuple(_uses_of_steps([*enumerate(params.get("Steps", ()))][only], target))


def earlier_uses(use: DataUse, uses: Iterable[DataUse]) -> Iterator[DataUse]:
    """Yields the uses by earlier steps that may write or remove data inside of `use`, or a folder that contains it."""
    for one in uses:
        if use.step is None or one.step is None or one.step >= use.step:
            continue
        if one.may_write and overlaps(one.uri, use.uri):
            yield one


def overlaps(one: str, other: str) -> bool:
    """Returns True if one of two URIs is, or may be, inside of the other; of globs, only the fixed prefix counts."""
    first, second = (_fixed_prefix(uri) for uri in (one, other))
    return first.startswith(second) or second.startswith(first)


# Each step is compared with all before it: 250 steps of three URIs take 0.5 s without this.
@lru_cache(maxsize=4096)
def _fixed_prefix(uri: str) -> str:
    """Returns the part of a URI before its wildcards, with a slash at its end."""
    text = f"s3://{'/'.join(split_s3(uri))}" if is_s3(uri) else uri
    wild = GLOB.search(text)
    return text[: text.rfind("/", 0, wild.start()) + 1] if wild else f"{text.rstrip('/')}/"


def _release_members(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the members that decide the form of steps, under the spec's names."""
    return {
        name: params[member]
        for name, member in (("ami_version", "AmiVersion"), ("release_label", "ReleaseLabel"))
        if member in params
    }


def _uses_outside_steps(params: Mapping[str, Any]) -> Iterator[DataUse]:
    if params.get("LogUri"):
        yield DataUse(params["LogUri"], Use.TARGET, "log_uri", ("LogUri",))
    for index, action in enumerate(params.get("BootstrapActions", ())):
        script, part = action["ScriptBootstrapAction"], f"bootstrap action {action['Name']}"
        path: KeyPath = ("BootstrapActions", index, "ScriptBootstrapAction")
        yield DataUse(script["Path"], Use.FILE, part, (*path, "Path"))
        for access in arguments(script.get("Args", ())):
            yield DataUse(access.uri, access.use, part, (*path, "Args"))


def _uses_of_steps(steps: Iterable[tuple[int, Mapping[str, Any]]], target: StepTarget) -> Iterator[DataUse]:
    for index, step in steps:
        part, path = f"step {step['Name']}", ("Steps", index, "HadoopJarStep")
        for access in dict.fromkeys(_accesses(step["HadoopJarStep"], target)):
            yield DataUse(access.uri, access.use, part, path, index)


def _accesses(step: HadoopJarStep, target: StepTarget) -> Iterator[Access]:
    """Yields the data that a HadoopJarStep names, by the first kind that can express it."""
    for kind in KINDS.values():
        try:
            fields = kind.recognize(step, target)
        except Inexpressible:
            # Only properties that a mapping can't express prevent a step from being a `jar` step.
            fields = {"jar": step["Jar"], "args": step.get("Args", ())}
        if fields is not None:
            yield from kind.accesses(fields)
            return
