"""The places in the spec of the parts of a request; `compile` records them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from flowspec.document.job_flow import JobFlow
from flowspec.facts.api_model import KeyPath

Origins: TypeAlias = "Mapping[KeyPath, KeyPath]"
"""The path of a part of the request -> the path in the spec."""


def record_patch(origins: dict[KeyPath, KeyPath], patch: Any) -> None:
    """Records the parts of a request that `api_params` sets, in place of those that it overrides."""
    replaced = dict(_replacing_values(patch, ()))
    for path in [one for one in origins if any(one[:size] in replaced for size in range(1, len(one) + 1))]:
        del origins[path]
    for path, value in replaced.items():
        for inner in _paths_within(value, path):
            origins[inner] = ("api_params", *inner)


def _replacing_values(patch: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yields the values that replace others: mappings are merged (RFC 7396)."""
    if isinstance(patch, Mapping):
        for name, inner in patch.items():
            yield from _replacing_values(inner, (*path, name))
    else:
        yield path, patch


def _paths_within(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    yield path
    steps = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _paths_within(inner, (*path, step))


def locate(jobflow: JobFlow, origins: Origins, path: Sequence[str | int], value: Any = None) -> KeyPath:
    """Returns the path in the spec of the part of a request at `path`; () when nothing in the spec caused it.

    For a part that is not there it is the path of the nearest one around it. `value` is the part itself:
    it tells the arguments of a step apart, which are made of several keys.
    """
    path = tuple(path)
    known = next(path[:size] for size in range(len(path), -1, -1) if path[:size] in origins)
    found = origins[known]
    if found[:1] == ("steps",) and "HadoopJarStep" in path[len(known) :]:
        return (*found, *_find_text(jobflow.fields["steps"][found[1]], value))
    return found


def _find_text(step: Any, value: Any) -> KeyPath:
    """Returns the path within a step of a text that the request has unchanged; () when there is none."""
    pairs = step.items() if isinstance(step, Mapping) else enumerate(step) if isinstance(step, list) else ()
    for key, item in pairs:
        if isinstance(item, str) and item == value:
            return (key,)
        found = _find_text(item, value)
        if found:
            return (key, *found)
    return ()
