"""A spec as the rules of EMR see it: the parameters of RunJobFlow, with the place of the spec that each came from.

The rules look at requests, `validate` at specs that are not compiled yet (and need not be compilable: files
may be missing). So the members are renamed along the schema, as in `flowspec.request.compile`; steps are
not expanded, since no rule looks at what they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.rendering.merge_patch import merge_patch, path_in_patch
from flowspec.facts.api_model import KeyPath
from flowspec.facts.backends import DEFAULT_BACKEND, TRAITS, Traits

Spec: TypeAlias = "Mapping[str, Any]"
_STEP_LOGS = "step_monitoring_configuration"


class RequestView(NamedTuple):
    """Parameters of RunJobFlow, and how their places translate to places of the spec."""

    params: Mapping[str, Any]
    origins: Mapping[KeyPath, KeyPath]
    patch: Any = None

    def origin(self, path: KeyPath) -> KeyPath:
        """Returns the place of the spec for a place of the request: the nearest one that the spec gives."""
        patched = path_in_patch(self.patch, path)
        if patched:
            return ("api_params", *patched)
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                # A member that is absent in the request is reported at its owner.
                return self.origins[path[:end]]
        return ()

    def patched(self, patch: Any) -> RequestView:
        """Returns the view after `api_params` is merged into it."""
        return RequestView(merge_patch(self.params, patch), self.origins, patch)


def request_view(spec: Spec) -> RequestView:
    """Returns the view of a rendered spec, without its `api_params`."""
    translation = _Translation()
    params: dict[str, Any] = {"Instances": {}}
    params |= translation.members({key: value for key, value in spec.items() if key != "steps"}, schemas.strict(), ())
    translation.add_steps(params, spec)
    return RequestView(params, translation.origins)


def log_uri(spec: Spec) -> Any:
    """Returns the LogUri of a spec's request, "" or None without one; a null in `api_params` takes `log_uri` away."""
    return (spec.get("api_params") or {}).get("LogUri", spec.get("log_uri"))


def traits_of(spec: Spec) -> Traits:
    """Returns the properties of a spec's backend."""
    return TRAITS[spec.get("backend", DEFAULT_BACKEND)]


def texts_in(spec: Spec) -> Iterator[tuple[KeyPath, str | int, str]]:
    """Yields all texts of a spec: the path of the mapping or list that each is in, its key or index there, the text."""
    rest: list[tuple[KeyPath, Any]] = [((), spec)]
    while rest:
        path, value = rest.pop()
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, str):
                yield path, key, item
            elif isinstance(item, (dict, list)):
                rest.append(((*path, key), item))


@dataclass(slots=True)
class _Translation:
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)

    def value(self, value: Any, schema: schemas.Schema, at: KeyPath, to: KeyPath) -> Any:
        """Returns a value as the API has it; `at` is its place in the spec, `to` in the request."""
        self.origins[to] = at
        schema = schemas.resolve_schema(
            schema, schemas.kind(value), value.get("type") if isinstance(value, dict) else None
        )
        shape = schema.get("x-shape")
        if shape:
            return _SHAPES[shape](self, value, at, to)
        if isinstance(value, dict):
            return self.members(value, schema, at, to)
        if isinstance(value, list):
            return [self.value(item, schema["items"], (*at, n), (*to, n)) for n, item in enumerate(value)]
        return value

    def members(
        self, value: Mapping[str, Any], schema: schemas.Schema, at: KeyPath, to: KeyPath = ()
    ) -> dict[str, Any]:
        """Returns a mapping with its keys as the API names them."""
        out: dict[str, Any] = {}
        own = schema.get("properties", {})
        for key, item in value.items():
            known = schemas.member(schema, key)
            if known is None or known.get("x-tool"):
                continue
            names = schemas.api_name(key, known).split(".") if key in own else [key]
            owner = out
            for name in names[:-1]:
                owner = owner.setdefault(name, {})
            owner[names[-1]] = self.value(item, known, (*at, key), (*to, *names))
        return out

    def by_definition(self, value: Any, definition: str, at: KeyPath, to: KeyPath) -> Any:
        """Returns a value by the schema's definition of this name."""
        return self.value(value, schemas.strict()["$defs"][definition], at, to)

    def add_steps(self, params: dict[str, Any], spec: Mapping[str, Any]) -> None:
        """Puts what rules look at of the steps into the request, after the step that debugging adds."""
        steps: list[dict[str, Any]] = (
            [{"Name": "Setup Hadoop Debugging"}] if spec.get("enable_debugging") is True else []
        )
        if steps:
            self.origins["Steps", 0] = ("enable_debugging",)
        for index, step in enumerate(spec.get("steps") or ()):
            keys = step if isinstance(step, dict) else {}
            to: KeyPath = ("Steps", len(steps))
            self.origins[to] = ("steps", index)
            own = "on_failure" in keys
            action = keys.get("on_failure") if own else spec.get("action_on_failure")
            self.origins[(*to, "ActionOnFailure")] = ("steps", index, "on_failure") if own else ("action_on_failure",)
            made = {"Name": keys.get("name")}
            if action is not None:
                made["ActionOnFailure"] = action
            if _STEP_LOGS in keys:
                schema = schemas.strict()["$defs"]["jar_step"]
                made |= self.members({_STEP_LOGS: keys[_STEP_LOGS]}, schema, ("steps", index), to)
            steps.append(made)
        if steps or "steps" in spec:
            self.origins["Steps",] = ("steps",)
            params["Steps"] = steps


def _tags(self: _Translation, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:
    for index, key in enumerate(value):
        self.origins[(*to, index)] = (*at, key)
    return [{"Key": key, "Value": item} for key, item in value.items()]


def _applications(self: _Translation, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:
    return [
        {"Name": self.value(one, {}, (*at, index), (*to, index))}
        if isinstance(one, str)
        else self.by_definition(one, "application", (*at, index), (*to, index))
        for index, one in enumerate(value)
    ]


def _instance_groups(self: _Translation, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:
    groups = [self.by_definition(one, "instance_group", (*at, index), (*to, index)) for index, one in enumerate(value)]
    # As compiled: a master without a count is one node.
    return [
        {"InstanceCount": 1, **group} if group and group.get("InstanceRole") == "MASTER" else group for group in groups
    ]


def _bootstrap_actions(self: _Translation, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:
    return [self.by_definition(one, "bootstrap_action", (*at, index), (*to, index)) for index, one in enumerate(value)]


def _configurations(self: _Translation, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:  # noqa: ARG001 - shapes share a signature
    # No rule looks at what is configured, only whether anything is.
    return [{} for _ in value]


_SHAPES: dict[str, Callable[[_Translation, Any, KeyPath, KeyPath], list[Any]]] = {
    "tags": _tags,
    "applications": _applications,
    "instance_groups": _instance_groups,
    "bootstrap_actions": _bootstrap_actions,
    "configurations": _configurations,
}
