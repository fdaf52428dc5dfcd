"""JobFlow -> Request: the parameters of RunJobFlow.

Most of a spec is converted by rule, along the schema (`document.api_form`). Code is needed only for members with
another shape in the spec than in the API (`shapes`), and for steps (`steps`). Nothing is added that was not asked for:
a missing value, an empty value and a given default value stay different.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from flowspec.document import schema as schemas
from flowspec.document.api_form import Origins, record_patch
from flowspec.document.checking.validate import validate
from flowspec.document.job_flow import InvalidJobFlow, JobFlow
from flowspec.document.rendering.merge_patch import merge_patch
from flowspec.document.text.tree import Document, diagnostics_to_show
from flowspec.errors import Diagnostic, Severity, SpecError, shorten
from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import Asset, secrets_of
from flowspec.request.public_form import public_form
from flowspec.request.shapes.registry import SHAPES
from flowspec.request.shapes.shape import CompileContext
from flowspec.request.snapshot import Snapshot
from flowspec.request.steps.target import debugging_step


class OmittedStep(NamedTuple):
    """A StepConfig that a run leaves out; `place` is how many of the steps that it keeps come before it.

    `under_way` says that the cluster already has the step, and that it has not ended.
    """

    place: int
    config: Mapping[str, Any]
    under_way: bool = False


@dataclass(frozen=True)
class Request:
    """One call of RunJobFlow, and the local files that it names. Immutable and hashable.

    `params` are its keyword arguments for boto3: a new dict each time, so changing one changes nothing else. `secrets`
    are texts that must not be shown, `warnings` those about the job flow and its files. `origins` are the paths of the
    request's parts, each with the path in the spec that it comes from (`origins.locate`). `omitted` are the steps that
    a run of some steps leaves out, and `selected` the indexes of those that the user named; None if all steps are
    meant.
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
        """The sha256, in hex, of all parameters and of the content of all assets; it reveals no secret."""
        return digest(self.params, self.assets, self.secrets)

    def __hash__(self) -> int:
        return hash(self.digest)


def compile(jobflow: JobFlow) -> Request:
    """Compiles a job flow to its request.

    Reads its local files to hash them; no network, no clock, no environment but PATH.

    Raises `SpecError` when local files are missing or unfit, when there is nowhere to stage them, or
    when the installed botocore refuses `api_params`.
    """
    compiler = _Compiler(jobflow)
    params, found = compiler.parameters()
    warnings = diagnostics_to_show([*jobflow.warnings, *found], jobflow.target, jobflow.secrets)
    if any(one.severity is Severity.ERROR for one in found):
        raise SpecError(warnings)
    assets = compiler.files.assets
    return Request(assets, params, jobflow.secrets | secrets_of(assets), compiler.origins, warnings=warnings)


def validate_with_files(document: Document, *, emr_rules: bool = True, **settings: Any) -> JobFlow:
    """Validates a document as `validate` does, but the SpecError also contains errors of its local files.

    The files of a valid document are checked when it is compiled. `settings` are members of the job flow that the
    caller is going to replace, such as `staging`.
    """
    try:
        return validate(document, emr_rules=emr_rules)
    except InvalidJobFlow as error:
        found = _find_problems_of_files(replace(error.valid_part, **settings))
        raise SpecError((*error.diagnostics, *found)) from None


def _find_problems_of_files(valid_part: JobFlow) -> tuple[Diagnostic, ...]:
    """Returns the errors of the local files and `api_params` of a job flow that is invalid for other reasons.

    Other findings of `compile` may only be consequences of those of `validate`.
    """
    _, found = _Compiler(valid_part).parameters()
    own = [one for one in found if one.id.startswith("FS4") or one.id == "FS109"]
    return diagnostics_to_show(own, valid_part.target, valid_part.secrets)


def digest(params: Mapping[str, Any], assets: tuple[Asset, ...], secrets: Collection[str] = ()) -> str:
    """Returns the sha256, in hex, over the canonical JSON of the parameters and the hashes of the assets.

    Everyone may see it: it does not reveal the `secrets` in the parameters (`public_form`).
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


class _Compiler(CompileContext):
    """One compilation."""

    def convert_shape(self, shape: str, value: Any, at: KeyPath, to: KeyPath) -> Any:
        return SHAPES[shape].compile(value, at, to, self)

    def parameters(self) -> tuple[dict[str, Any], list[Diagnostic]]:
        """Returns all parameters and the findings."""
        params, found = self._own_parameters(), self.files.found
        if "api_params" not in self.jobflow.fields:
            return params, found
        patch = self.jobflow.fields["api_params"]
        params = merge_patch(params, patch)
        record_patch(self.origins, patch)
        return params, [*found, *_problems_of_patch(self.jobflow, params)]

    def _own_parameters(self) -> dict[str, Any]:
        """Returns all parameters except `api_params`.

        `Instances` is always there: the API requires it, empty or not.
        """
        fields = self.jobflow.fields
        params = {"Instances": {}, **self.convert(fields, schemas.strict(), (), ())}
        if "log_uri" in fields:
            params["LogUri"] = self.files.data_path(fields["log_uri"], ("log_uri",))
        if fields.get("enable_debugging"):
            params["Steps"] = [debugging_step(self.target), *params.get("Steps", ())]
            self.origins["Steps", 0] = ("enable_debugging",)
        return params
