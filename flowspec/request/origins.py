"""Finds the place in the spec of a part of a request, by the origins that `compile` records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowspec.document.api_form import Origins, nearest_origin
from flowspec.document.job_flow import JobFlow
from flowspec.facts.api_model import KeyPath


def locate(jobflow: JobFlow, origins: Origins, path: Sequence[str | int], value: Any = None) -> KeyPath:
    """Returns the path in the spec of the part of a request at `path`; () if the part does not come from the spec.

    For a missing part, it is the path of the nearest enclosing part. `value` is the part itself, by which the arguments
    of a step, which come from several keys, are distinguished.
    """
    path = tuple(path)
    known, found = nearest_origin(origins, path)
    if found[:1] == ("steps",) and "HadoopJarStep" in path[len(known) :]:
        return (*found, *_find_text(jobflow.fields["steps"][found[1]], value))
    return found


def _find_text(step: Any, value: Any) -> KeyPath:
    """Returns the path within a step of a text that the request contains unchanged; () if there is none."""
    pairs = step.items() if isinstance(step, Mapping) else enumerate(step) if isinstance(step, list) else ()
    for key, item in pairs:
        if isinstance(item, str) and item == value:
            return (key,)
        found = _find_text(item, value)
        if found:
            return (key, *found)
    return ()
