"""A place in the request -> the place in the spec that it came from.

The way back along the schema that `compile` went: nothing is recorded while compiling, so that only
those who ask pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.job_flow import JobFlow
from flowspec.document.merge_patch import path_in_patch

Path: TypeAlias = "tuple[str | int, ...]"


def origin(jobflow: JobFlow, path: Sequence[str | int], value: Any = None) -> Path:
    """Where in the spec the member of RunJobFlow at `path` comes from; () for what nothing there caused.

    Of a path that leads beyond what the spec says (a member that is missing) it is the last part that
    the spec has a place for. `value` is what stands there in the request: it tells one argument of a
    step from another.
    """
    fields = jobflow.fields
    patched = path_in_patch(fields.get("api_params"), tuple(path))
    if patched:
        return ("api_params", *patched)
    if path and path[0] == "Steps":
        return _step(fields, tuple(path), value)
    return _walk(fields, schemas.strict(), tuple(path), ())


def _walk(value: Any, schema: schemas.Schema, path: Path, at: Path) -> Path:
    if not path:
        return at
    schema = schemas.meant(schema, schemas.kind(value), value.get("type") if isinstance(value, dict) else None)
    shape = schema.get("x-shape")
    if shape:
        return _SHAPES[shape](value, path, at)
    if isinstance(value, list):
        return _item(value, schema["items"], path, at)
    return _member(value, schema, path, at) if isinstance(value, Mapping) else at


def _member(value: Mapping[str, Any], schema: schemas.Schema, path: Path, at: Path) -> Path:
    for key, item in value.items():
        known = schemas.member(schema, key) or {}
        if known.get("x-tool"):
            continue
        is_own = key in schema.get("properties", {})
        parts = tuple(schemas.api_name(key, known).split(".")) if is_own else (key,)
        if path[: len(parts)] == parts:
            return _walk(item, known, path[len(parts) :], (*at, key))
    return at


def _item(value: Sequence[Any], schema: schemas.Schema, path: Path, at: Path) -> Path:
    index = path[0]
    if not isinstance(index, int) or index >= len(value):
        return at
    return _walk(value[index], schema, path[1:], (*at, index))


def _by_rule(definition: str) -> Callable[[Any, Path, Path], Path]:
    return lambda value, path, at: _item(value, schemas.strict()["$defs"][definition], path, at)


def _tags(value: Mapping[str, Any], path: Path, at: Path) -> Path:
    index = path[0]
    return (*at, list(value)[index]) if isinstance(index, int) and index < len(value) else at


def _configurations(value: Any, path: Path, at: Path) -> Path:
    if isinstance(value, list):
        return _item(value, schemas.strict()["$defs"]["configuration"], path, at)
    index, *rest = path
    if not isinstance(index, int) or index >= len(value):
        return at
    here = (*at, list(value)[index])
    content = value[here[-1]]
    if rest[:1] == ["Configurations"] and "configurations" in content:
        nested = (*here, "configurations")
        return _configurations(content["configurations"], tuple(rest[1:]), nested) if rest[1:] else nested
    return (*here, rest[1]) if rest[:1] == ["Properties"] and rest[1:] and rest[1] in content else here


def _step(fields: Mapping[str, Any], path: Path, value: Any) -> Path:
    """Steps: enable_debugging puts one before them, and arguments are made of several keys."""
    if len(path) < 2 or not isinstance(path[1], int):
        return ("steps",) if "steps" in fields else ()
    index = path[1] - bool(fields.get("enable_debugging"))
    if index < 0:
        return ("enable_debugging",)
    steps = fields.get("steps") or ()
    if index >= len(steps):
        return ("steps",)
    at: Path = ("steps", index)
    member = path[2] if len(path) > 2 else ""
    if member == "ActionOnFailure":
        return (*at, "on_failure") if "on_failure" in steps[index] else ("action_on_failure",)
    key = {"Name": "name", "StepMonitoringConfiguration": "step_monitoring_configuration"}.get(str(member), "")
    if key:
        return (*at, key)
    return (*at, *_holding(steps[index], value)) if member == "HadoopJarStep" and len(path) > 3 else at


def _holding(step: Any, value: Any) -> Path:
    """Where in a step a text stands as it is in the request; () when it was made of several."""
    pairs = step.items() if isinstance(step, Mapping) else enumerate(step) if isinstance(step, list) else ()
    for key, item in pairs:
        if isinstance(item, str) and item == value:
            return (key,)
        found = _holding(item, value)
        if found:
            return (key, *found)
    return ()


_SHAPES: dict[str, Callable[[Any, Path, Path], Path]] = {
    "tags": _tags,
    "applications": _by_rule("application"),
    "instance_groups": _by_rule("instance_group"),
    "bootstrap_actions": _by_rule("bootstrap_action"),
    "configurations": _configurations,
}
