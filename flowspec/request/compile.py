"""JobFlow -> Request: the parameters of RunJobFlow.

Most of a spec is carried over by rule, along the schema: a key becomes the member that the schema
names, and its value is walked in the same way. Code is needed only for what has another shape in the
spec than in the API (`shapes`), and for steps (`steps`). Nothing is added that was not asked for: absent,
empty and a given default stay three different things.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from flowspec.document import schema as schemas
from flowspec.document.checking.validate import validate
from flowspec.document.job_flow import InvalidJobFlow, JobFlow
from flowspec.document.rendering.merge_patch import merge_patch
from flowspec.document.text.tree import Document, diagnostics_to_show
from flowspec.errors import Diagnostic, Severity, SpecError, shorten
from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import Asset, Files, secrets_of
from flowspec.request.origins import Origins, record_patch
from flowspec.request.public_form import public_form
from flowspec.request.shapes.registry import SHAPES
from flowspec.request.shapes.shape import Route
from flowspec.request.snapshot import Snapshot
from flowspec.request.steps.target import StepTarget, debugging_step


class OmittedStep(NamedTuple):
    """A StepConfig that a run leaves out; `place` is how many of the steps that it keeps come before it.

    `under_way` says that the cluster has it already, and that it is not over.
    """

    place: int
    config: Mapping[str, Any]
    under_way: bool = False


@dataclass(frozen=True)
class Request:
    """One call of RunJobFlow, and the local files that it names. Immutable and hashable.

    `params` are its keyword arguments for boto3: a new dict each time, so changing one changes nothing else. `secrets`
    are texts that must not be shown, `warnings` those of the job flow and of the files that it names. `origins` are the
    paths of the request's parts, each with the path in the spec that it comes from (`origins.locate`). `omitted` are
    the steps that a run of some steps leaves out, and `selected` the indexes of those that the user named; None if
    all steps are meant.
    """

    assets: tuple[Asset, ...]
    params: Snapshot = Snapshot()  # noqa: RUF009 - a descriptor, no default
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    origins: Origins = field(default_factory=dict, repr=False, compare=False)
    omitted: tuple[OmittedStep, ...] = field(default=(), repr=False, compare=False)
    selected: frozenset[int] | None = field(default=None, repr=False, compare=False)
    warnings: tuple[Diagnostic, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of all parameters and of the content of all assets; it tells no secret."""
        return digest(self.params, self.assets, self.secrets)

    def __hash__(self) -> int:
        return hash(self.digest)


def compile(jobflow: JobFlow) -> Request:
    """Compiles a job flow to its request.

    Reads its local files to hash them; no network, no clock, no environment but PATH.

    Raises `SpecError` when local files are missing or unfit, when there is nowhere to stage them, or
    when the installed botocore refuses `api_params`.
    """
    compiler = _Compiler.of(jobflow)
    params, found = compiler.parameters()
    warnings = diagnostics_to_show([*jobflow.warnings, *found], jobflow.target, jobflow.secrets)
    if any(one.severity is Severity.ERROR for one in found):
        raise SpecError(warnings)
    assets = compiler.files.assets
    return Request(assets, params, jobflow.secrets | secrets_of(assets), compiler.origins, warnings=warnings)


def validate_with_files(document: Document, *, emr_rules: bool = True, **settings: Any) -> JobFlow:
    """Validates a document as `validate` does, but the SpecError tells what is wrong with its local files, too.

    A valid one's files are looked at when it is compiled. `settings` are members of the job flow that the caller is
    going to replace, such as `staging`.
    """
    try:
        return validate(document, emr_rules=emr_rules)
    except InvalidJobFlow as error:
        found = _find_problems_of_files(replace(error.valid_part, **settings))
        raise SpecError((*error.diagnostics, *found)) from None


def _find_problems_of_files(valid_part: JobFlow) -> tuple[Diagnostic, ...]:
    """Returns what is wrong with the local files and the `api_params` of a job flow that is not valid otherwise.

    Other findings of `compile` may only follow from what `validate` has found.
    """
    _, found = _Compiler.of(valid_part).parameters()
    own = [one for one in found if one.id.startswith("FS4") or one.id == "FS109"]
    return diagnostics_to_show(own, valid_part.target, valid_part.secrets)


def digest(params: Mapping[str, Any], assets: tuple[Asset, ...], secrets: Collection[str] = ()) -> str:
    """Returns the sha256, in hex, over the canonical JSON of the parameters and the hashes of the assets.

    Everyone may see it: it does not tell the `secrets` among the parameters (`public_form`).
    """
    import hashlib

    content = {**public_form(params, secrets), "assets": [asset.sha256 for asset in assets]}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _problems_of_patch(jobflow: JobFlow, params: Mapping[str, Any]) -> Iterator[Diagnostic]:
    from flowspec.document.nearest import MAX_GUESSES, did_you_mean
    from flowspec.facts.api_model import path_text, problems

    for index, one in enumerate(problems(params)):
        path = ("api_params", *one.path)
        if not one.known:
            yield jobflow.document.diagnostic("FS109", path, one.message)
            continue
        owner, name = path_text(one.path[:-1]) or "RunJobFlow", str(one.path[-1])
        hint = did_you_mean(name, one.known) if index < MAX_GUESSES else ""
        notes = () if hint else (f"{owner} has {', '.join(one.known)}",)
        message = f"{owner} has no member '{shorten(name)}' in the installed botocore"
        yield jobflow.document.diagnostic("FS109", path, message, hint=hint, notes=notes, key=True)


class _Compiler(NamedTuple):
    """One compilation: of which job flow, the local files it finds, and the origins it records."""

    jobflow: JobFlow
    files: Files
    target: StepTarget
    origins: dict[KeyPath, KeyPath]

    @classmethod
    def of(cls, jobflow: JobFlow) -> _Compiler:
        return cls(jobflow, Files(jobflow), StepTarget.of(jobflow.fields, jobflow.region), {})

    def parameters(self) -> tuple[dict[str, Any], list[Diagnostic]]:
        """Returns all parameters, and what was found."""
        params, found = self.members(), self.files.found
        if "api_params" not in self.jobflow.fields:
            return params, found
        patch = self.jobflow.fields["api_params"]
        params = merge_patch(params, patch)
        record_patch(self.origins, patch)
        return params, [*found, *_problems_of_patch(self.jobflow, params)]

    def members(self) -> dict[str, Any]:
        """Returns all parameters but for `api_params`.

        `Instances` is always there: the API requires it, empty or not.
        """
        fields = self.jobflow.fields
        params = {"Instances": {}, **self.by_schema(fields, schemas.strict(), Route((), ()))}
        if "log_uri" in fields:
            params["LogUri"] = self.files.data_path(fields["log_uri"], ("log_uri",))
        if fields.get("enable_debugging"):
            params["Steps"] = [debugging_step(self.target), *params.get("Steps", ())]
            self.came_from(Route(("enable_debugging",), ("Steps", 0)))
        return params

    def by_schema(self, value: Any, schema: schemas.Schema, route: Route) -> Any:
        """Returns a value as the API has it."""
        self.came_from(route)
        type_word = value.get("type") if isinstance(value, dict) else None
        schema = schemas.resolve_schema(schema, schemas.kind(value), type_word)
        shape = schema.get("x-shape")
        if shape:
            return SHAPES[shape].compile(value, route, self)
        if isinstance(value, dict):
            return self._object(value, schema, route)
        if isinstance(value, list):
            return [self.by_schema(item, schema["items"], route.item(index)) for index, item in enumerate(value)]
        return value

    def _object(self, value: Mapping[str, Any], schema: schemas.Schema, route: Route) -> dict[str, Any]:
        out: dict[str, Any] = {}
        own = schema.get("properties", {})
        for key, item in value.items():
            known = schemas.member(schema, key) or {}
            if known.get("x-tool"):
                continue
            # A name may be a dotted path, such as `Instances.Placement.AvailabilityZone`; a key of the user's is not.
            path = schemas.api_name(key, known).split(".") if key in own else [key]
            _set_at_path(out, path, self.by_schema(item, known, route.to(key, *path)))
        return out

    def by_definition(self, value: Any, name: str, route: Route) -> Any:
        """Returns a value carried over by the schema's definition of this name."""
        return self.by_schema(value, schemas.strict()["$defs"][name], route)

    def came_from(self, route: Route) -> None:
        """Records where a part of the request comes from."""
        self.origins[route.request] = route.spec


def _set_at_path(out: dict[str, Any], path: list[str], value: Any) -> None:
    *owners, last = path
    for owner in owners:
        out = out.setdefault(owner, {})
    out[last] = value
