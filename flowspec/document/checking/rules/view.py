"""A spec in the form that EMR's rules check: the parameters of RunJobFlow, each with its place in the spec.

The rules look at requests, `validate` at specs that are not compiled yet (and need not be compilable: files
may be missing). Steps are not expanded, since no rule looks at what they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.api_form import ApiForm, Origins, nearest_origin, record_patch, with_master_counts
from flowspec.document.rendering.merge_patch import merge_patch
from flowspec.facts.api_model import KeyPath
from flowspec.facts.backends import DEFAULT_BACKEND, TRAITS, Traits

Spec: TypeAlias = "Mapping[str, Any]"
_STEP_LOGS = "step_monitoring_configuration"


class RequestView(NamedTuple):
    """Parameters of RunJobFlow, and how their places translate to places of the spec."""

    params: Mapping[str, Any]
    origins: Origins

    def origin(self, path: KeyPath) -> KeyPath:
        """Returns the place in the spec for a place in the request; a missing member has the place of its owner."""
        return nearest_origin(self.origins, path)[1]

    def patched(self, patch: Any) -> RequestView:
        """Returns the view after `api_params` is merged into it."""
        origins = {**self.origins}
        record_patch(origins, patch)
        return RequestView(merge_patch(self.params, patch), origins)


def request_view(spec: Spec) -> RequestView:
    """Returns the view of a rendered spec, without its `api_params`."""
    form = _SpecForm()
    params: dict[str, Any] = {"Instances": {}}
    params |= form.members({key: value for key, value in spec.items() if key != "steps"}, schemas.strict(), (), ())
    form.add_steps(params, spec)
    return RequestView(params, form.origins)


def log_uri(spec: Spec) -> Any:
    """Returns the LogUri of a spec's request, "" or None without one; a null in `api_params` takes `log_uri` away."""
    return (spec.get("api_params") or {}).get("LogUri", spec.get("log_uri"))


def traits_of(spec: Spec) -> Traits:
    """Returns the properties of a spec's backend."""
    return TRAITS[spec.get("backend", DEFAULT_BACKEND)]


def texts_in(spec: Spec) -> list[tuple[KeyPath, str | int, str]]:
    """Returns all texts of a spec: the path of the mapping or list that one is in, its key or index there, the text."""
    found: list[tuple[KeyPath, str | int, str]] = []
    rest: list[tuple[KeyPath, Any]] = [((), spec)]
    while rest:
        path, value = rest.pop()
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            kind = type(item)
            if kind is str:
                found.append((path, key, item))
            elif kind is dict or kind is list:
                rest.append(((*path, key), item))
    return found


class _SpecForm(ApiForm):
    def convert_shape(self, shape: str, value: Any, at: KeyPath, to: KeyPath) -> Any:
        return _SHAPES[shape](self, value, at, to)

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


def _tags(form: _SpecForm, value: Any, at: KeyPath, to: KeyPath) -> list[Any]:
    for index, key in enumerate(value):
        form.origins[(*to, index)] = (*at, key)
    return [{"Key": key, "Value": item} for key, item in value.items()]


_SHAPES: dict[str, Callable[[_SpecForm, Any, KeyPath, KeyPath], list[Any]]] = {
    "tags": _tags,
    "applications": ApiForm.applications,
    "instance_groups": lambda form, value, at, to: with_master_counts(
        form.items_by_definition(value, "instance_group", at, to)
    ),
    "bootstrap_actions": lambda form, value, at, to: form.items_by_definition(value, "bootstrap_action", at, to),
    # Rules only check whether there are configurations, not their content.
    "configurations": lambda form, value, at, to: [{} for _ in value],  # noqa: ARG005 - shapes share a signature
}
