"""JSON Merge Patch (RFC 7396), by which `api_params` changes a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.facts.api_model import KeyPath


def merge_patch(target: Any, patch: Any) -> Any:
    """Returns the target with the patch applied: mappings are merged, null removes, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    out = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def path_in_patch(patch: Any, path: KeyPath) -> KeyPath:
    """Returns the part of a path of the result that leads into the patch.

    () when the patch did not set what is there.
    """
    taken: list[str | int] = []
    for step in path:
        if isinstance(patch, Mapping):
            if step not in patch:
                return ()
            patch = patch[str(step)]
        elif isinstance(patch, list) and isinstance(step, int) and step < len(patch):
            patch = patch[step]
        else:
            break
        taken.append(step)
    return tuple(taken) if taken and (len(taken) < len(path) or not isinstance(patch, Mapping)) else ()
