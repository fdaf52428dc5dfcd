"""JobFlow -> Request: the parameters of RunJobFlow.

Most of a spec is carried over by rule, along the schema: a key becomes the member that the schema
names, and its value is walked in the same way. Code stands here only for what has another shape in the
spec than in the API. Nothing is added that was not asked for; absent, empty and a stated default stay
three different things.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.job_flow import JobFlow
from flowspec.document.merge_patch import merge_patch
from flowspec.document.tree import settle
from flowspec.errors import Diagnostic, Severity, SpecError
from flowspec.facts.limits import MAX_STEP_CHARACTERS
from flowspec.facts.rules.steps import step_characters
from flowspec.request.assets import Asset, Files, is_relative
from flowspec.request.steps import World, debugging_step, hadoop_jar_step, key_value, placed

Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True)
class Request:
    """One call of RunJobFlow, and the local files that it speaks of.

    `params` are its keyword arguments for boto3. `digest` (hex) changes whenever a parameter or the
    content of an asset does.
    """

    params: Mapping[str, Any]
    assets: tuple[Asset, ...]
    digest: str
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def compile(jobflow: JobFlow) -> Request:  # noqa: A001 - it is what the stage is called
    """The request of a job flow. Reads its local files to hash them; no network, no clock, no environment.

    Raises `SpecError` when local files are missing or unfit, when there is nowhere to stage them, or
    when the installed botocore refuses `api_params`.
    """
    job = _Job(jobflow, Files(jobflow), World.of(jobflow.fields, jobflow.region, jobflow.backend))
    params = job.members()
    found = job.files.found
    if "api_params" in jobflow.fields:
        params = merge_patch(params, jobflow.fields["api_params"])
        found += _refused(jobflow, params)
    if any(one.severity is Severity.ERROR for one in found):
        raise SpecError(settle([*jobflow.warnings, *found], jobflow.target, jobflow.secrets))
    assets = job.files.assets
    return Request(params, assets, digest(params, assets), jobflow.secrets)


def digest(params: Mapping[str, Any], assets: tuple[Asset, ...]) -> str:
    """sha256, in hex, over the canonical JSON of the parameters and the hashes of the assets."""
    import hashlib

    content = {"params": params, "assets": [asset.sha256 for asset in assets]}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _refused(jobflow: JobFlow, params: Mapping[str, Any]) -> list[Diagnostic]:
    from flowspec.facts.api_model import problems

    document = jobflow.document
    return [document.diagnostic("FS109", ("api_params", *one.path), one.message) for one in problems(params)]


class _Job(NamedTuple):
    """One compilation: what it is of, and the files it comes across."""

    jobflow: JobFlow
    files: Files
    world: World

    def members(self) -> dict[str, Any]:
        """All parameters but for `api_params`. `Instances` is always there: the API wants it, empty or not."""
        fields = self.jobflow.fields
        params = {"Instances": {}, **self._object(fields, schemas.strict(), ())}
        if self.world.local and "log_uri" in fields:
            params["LogUri"] = placed(fields["log_uri"], self.world, self.files, ("log_uri",))
        if fields.get("enable_debugging"):
            params["Steps"] = [debugging_step(self.world), *params.get("Steps", ())]
        return params

    def carried(self, value: Any, schema: schemas.Schema, at: Path) -> Any:
        """A value as the API has it."""
        type_word = value.get("type") if isinstance(value, dict) else None
        schema = schemas.meant(schema, schemas.kind(value), type_word)
        shape = schema.get("x-shape")
        if shape:
            return _SHAPES[shape](self, value, at)
        if isinstance(value, dict):
            return self._object(value, schema, at)
        if isinstance(value, list):
            return [self.carried(item, schema["items"], (*at, index)) for index, item in enumerate(value)]
        return value

    def _object(self, value: Mapping[str, Any], schema: schemas.Schema, at: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        own = schema.get("properties", {})
        for key, item in value.items():
            known = schemas.member(schema, key) or {}
            if known.get("x-tool"):
                continue
            carried = self.carried(item, known, (*at, key))
            if key in own:
                _put(out, schemas.api_name(key, known), carried)
            else:
                out[key] = carried
        return out

    def by_rule(self, value: Any, definition: str, at: Path) -> Any:
        """A value carried over by the schema's definition of this name."""
        return self.carried(value, schemas.strict()["$defs"][definition], at)


def _put(out: dict[str, Any], name: str, value: Any) -> None:
    """Sets a member by its dotted path, such as `Instances.Placement.AvailabilityZone`."""
    *owners, last = name.split(".")
    for owner in owners:
        out = out.setdefault(owner, {})
    out[last] = value


# --- shapes that are friendlier than the API's ---


def _tags(job: _Job, value: Mapping[str, Any], at: Path) -> list[dict[str, Any]]:  # noqa: ARG001 - shapes are called alike
    return [key_value(*one) for one in value.items()]


def _applications(job: _Job, value: list[Any], at: Path) -> list[dict[str, Any]]:
    return [
        {"Name": one} if isinstance(one, str) else job.by_rule(one, "application", (*at, index))
        for index, one in enumerate(value)
    ]


def _configurations(job: _Job, value: Any, at: Path) -> list[dict[str, Any]]:
    if isinstance(value, list):
        out: list[dict[str, Any]] = job.by_rule(value, "configuration_list", at)
        return out
    return [_classification(name, content) for name, content in value.items()]


def _classification(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the mapping: `configurations` in it is reserved for what is nested in the classification."""
    out: dict[str, Any] = {"Classification": name}
    properties = {key: text for key, text in content.items() if key != "configurations"}
    if properties or "configurations" not in content:
        out["Properties"] = properties
    if "configurations" in content:
        out["Configurations"] = [_classification(*one) for one in content["configurations"].items()]
    return out


def _instance_groups(job: _Job, value: list[Any], at: Path) -> list[dict[str, Any]]:
    groups = [job.by_rule(one, "instance_group", (*at, index)) for index, one in enumerate(value)]
    # The API wants a number for every group; a master that says none is one node.
    return [{"InstanceCount": 1, **group} if group["InstanceRole"] == "MASTER" else group for group in groups]


def _bootstrap_actions(job: _Job, value: list[Any], at: Path) -> list[dict[str, Any]]:
    actions = []
    for index, one in enumerate(value):
        action = job.by_rule(one, "bootstrap_action", (*at, index))
        if one.get("stage", True) and is_relative(one["path"]):
            asset = job.files.asset(one["path"], (*at, index, "path"))
            action["ScriptBootstrapAction"]["Path"] = asset.uri if asset else one["path"]
        actions.append(action)
    return actions


def _steps(job: _Job, value: list[Any], at: Path) -> list[dict[str, Any]]:
    return [_step(job, one, (*at, index)) for index, one in enumerate(value)]


def _step(job: _Job, step: Mapping[str, Any], at: Path) -> dict[str, Any]:
    out: dict[str, Any] = {"Name": step["name"]}
    on_failure = step.get("on_failure", job.jobflow.fields.get("action_on_failure"))
    if on_failure is not None:
        out["ActionOnFailure"] = on_failure
    out["HadoopJarStep"] = hadoop_jar_step(step, at, job.world, job.files)
    _check_length(job, out["HadoopJarStep"], at)
    if "step_monitoring_configuration" in step:
        schema = schemas.strict()["$defs"][f"{step['type']}_step"]["properties"]["step_monitoring_configuration"]
        out["StepMonitoringConfiguration"] = job.carried(step["step_monitoring_configuration"], schema, at)
    return out


def _check_length(job: _Job, step: Mapping[str, Any], at: Path) -> None:
    """Botocore's AddJobFlowSteps: all strings of a step together are up to 10,240 characters."""
    length = step_characters(step)
    if length > MAX_STEP_CHARACTERS and not job.world.local:
        message = f"the step is {length:,} characters long; EMR takes up to {MAX_STEP_CHARACTERS:,}"
        hint = "put what is long into a file in S3 and name that"
        job.files.found.append(job.jobflow.document.diagnostic("FS260", at, message, hint=hint))


_SHAPES: dict[str, Callable[[_Job, Any, Path], Any]] = {
    "tags": _tags,
    "applications": _applications,
    "instance_groups": _instance_groups,
    "configurations": _configurations,
    "bootstrap_actions": _bootstrap_actions,
    "steps": _steps,
}
