"""Writes a spec for a request, and proves it: the spec is compiled, and the result compared with the request.

Where they differ (or the spec is invalid), the members concerned are moved to `api_params`, or another kind
is taken for the step concerned, and the spec is written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document import schema as schemas
from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Document, Source
from flowspec.document.text.tree import Mapping as MappingNode
from flowspec.errors import Diagnostic, FlowspecError, Severity, SpecError
from flowspec.importers.decompile.fields import Member, decompile_members, keys_of, members
from flowspec.importers.decompile.redact import Redactor, escape
from flowspec.importers.decompile.remarks import remarks
from flowspec.importers.decompile.steps import Recognizer, region_of
from flowspec.importers.decompile.text import Line, write
from flowspec.importers.placeholders import Variable, Wanted, map_texts, replace_texts
from flowspec.request.compile import Request, compile
from flowspec.request.pairs import Inexpressible
from flowspec.request.steps.target import StepTarget

# From this many steps on, an action on failure that all of them share is written once, as action_on_failure.
_COMMON = 3
# What is wrong with `timeout` and `retry`, whatever the kind of the step: the cluster has changed since its launch.
_OF_POLICIES = frozenset({"FS286", "FS291", "FS292", "FS293"})


@dataclass(frozen=True)
class Decompiled:
    """A spec that compiles to a request.

    `text` is its YAML. `secrets` are the values of its sensitive variables, `places` the paths in the spec
    at which each of them is used. `leftover` are the members that had to go to `api_params`, with the reasons;
    `uploads` tell of the local files that the source uploads.
    """

    text: str
    secrets: Mapping[str, str] = field(repr=False)
    places: Mapping[str, tuple[str, ...]]
    leftover: Mapping[str, str]
    uploads: tuple[str, ...] = ()


class _Draft(NamedTuple):
    """A draft of the spec. `aside`: the members in api_params, with the reasons.

    `lines` are the text of `spec`, with `comments` and those at its `head`.
    """

    lines: list[Line]
    redactor: Redactor
    aside: dict[Member, str]
    spec: dict[str, Any]
    comments: dict[tuple[str | int, ...], list[str]]
    head: list[str]

    @property
    def text(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


@dataclass
class _Rejected:
    """The errors of the drafts so far.

    `aside`: members for api_params, with the reasons; `skipped`: by the index of a step, the number of kinds
    that compile to it alone, but not in the spec; `unwatched`: by the index of a step, why its policies are left out.
    """

    aside: dict[Member, str] = field(default_factory=dict)
    skipped: Counter[int] = field(default_factory=Counter)
    unwatched: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of errors: a draft that adds none to them can't be made better."""
        return len(self.aside) + self.skipped.total() + len(self.unwatched)


def write_spec(
    request: Mapping[str, Any] | Wanted,
    *,
    folder: Path = Path(),
    origin: str = "",
    by: str = "import",
    keep_secrets: bool = False,
) -> Decompiled:
    """Writes the spec of a request that botocore's model accepts (`request_file.read`), or of one with placeholders.

    `folder` is where the spec will be: a relative path in the request must not become a local file there.
    `origin` is named in the spec's first line, with the command (`by`) that wrote it. Secrets become sensitive
    variables unless `keep_secrets`. Raises `FlowspecError` when no spec compiles to the request.
    """
    wanted = request if isinstance(request, Wanted) else Wanted(dict(request))
    rejected = _Rejected()
    if wanted.flow not in ("", wanted.params.get("Name")):
        rejected.aside["Name",] = "the flow has another name than its cluster"
    head = [*([f"Imported from {origin} by `flowspec {by}`."] if origin else []), *map(_comment, wanted.notes)]
    draft = _draft(wanted, rejected, folder, head, keep_secrets)
    while _reject_errors(draft, wanted, folder, rejected):
        draft = _draft(wanted, rejected, folder, head, keep_secrets)
    draft, uploads = _with_uploads(draft, wanted, folder)
    redactor = draft.redactor
    leftover = {".".join(member): reason for member, reason in draft.aside.items()}
    places = {name: tuple(where) for name, where in redactor.places.items()}
    return Decompiled(draft.text, dict(redactor.variables), places, leftover, uploads)


# --- making a draft ---


def _draft(wanted: Wanted, rejected: _Rejected, folder: Path, head: list[str], keep_secrets: bool) -> _Draft:
    fields, aside = decompile_members(wanted.params, schemas.strict(), rejected.aside)
    fields |= wanted.settings
    region = wanted.region or region_of(fields.get("steps", []))
    if "steps" in fields:
        try:
            fields = _with_steps(fields, Recognizer(StepTarget.of(fields, region), folder), rejected, wanted.policies)
        except Inexpressible as reason:
            del fields["steps"]
            left_out = "; their timeout, retry and skip_on_exit are left out" if wanted.policies else ""
            region, aside["Steps",] = wanted.region, f"{reason}{left_out}"
    spec: dict[str, Any] = {"flowspec": "v1", "name": fields.pop("name", wanted.flow or "imported")}
    comments = remarks({**spec, **fields})
    for index, why in rejected.unwatched.items():
        comments.setdefault(("steps", index), []).append(f"its timeout and retry are left out: {why}")
    where = {"backend": wanted.backend, "region": region, "profile": wanted.profile}
    where = {key: value for key, value in where.items() if value}
    spec |= {"targets": {wanted.target: {"default": True, **where}}} if wanted.target else where
    if region and not wanted.region:
        comments["region",] = ["the region of its script-runner.jar"]
    redactor = Redactor(keep_secrets, wanted.variables)
    spec |= fields
    if aside:
        spec["api_params"] = _api_params(wanted.params, aside)
        comments["api_params",] = [f"{'.'.join(member)}: {reason}" for member, reason in aside.items()]
    spec = redactor.redact(spec)
    variables = _variables(redactor, wanted.variables)
    if variables:
        spec = {"flowspec": spec["flowspec"], "name": spec["name"], "variables": variables, **spec}
    return _Draft(write(spec, comments, head), redactor, aside, spec, comments, head)


# --- what the source uploads itself ---


def _with_uploads(draft: _Draft, wanted: Wanted, folder: Path) -> tuple[_Draft, tuple[str, ...]]:
    """Returns the draft with local files in the place of the objects that the source makes of them, and a note on each.

    Where the spec can't upload one (the file is elsewhere, or is no more than an argument), the note says so.
    """
    notes = []
    for uri, file in wanted.uploads.items():
        changed = _with_local_file(draft, uri, file, folder)
        if changed and _compiles_with_uploads(changed, wanted, folder, uri):
            draft = changed
            notes.append(f"{file}, which the script uploads, is uploaded by apply, below {changed.spec['staging']}")
        else:
            notes.append(f"the script uploads {file} to {uri}: nothing else does it for the spec")
    head = [*draft.head, *map(_comment, notes)]
    return draft._replace(head=head, lines=write(draft.spec, draft.comments, head)), tuple(notes)


def _with_local_file(draft: _Draft, uri: str, file: str, folder: Path) -> _Draft | None:
    path, home = Path(file).resolve(), folder.resolve()
    if not path.is_file() or home not in path.parents:
        return None
    spec = replace_texts(draft.spec, {uri: path.relative_to(home).as_posix()})
    if spec == draft.spec:
        return None
    # The folder that the script uploads to is one that it may write to.
    spec.setdefault("staging", f"{uri.rpartition('/')[0]}/")
    return draft._replace(spec=spec, lines=write(spec, draft.comments, draft.head))


def _compiles_with_uploads(draft: _Draft, wanted: Wanted, folder: Path, uri: str) -> bool:
    """Returns True if a draft compiles to the request, but for the name under which the file is staged."""
    try:
        made = _compile_draft(draft, wanted, folder)
    except SpecError:
        return False
    params: Any = made.params
    for asset in made.assets:
        uploaded = next((one for one, file in wanted.uploads.items() if Path(file).resolve() == asset.path), uri)
        params = replace_texts(params, {asset.uri: uploaded})
    return same(params, wanted.request)


def _with_steps(
    fields: dict[str, Any], recognizer: Recognizer, rejected: _Rejected, policies: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    steps = recognizer.steps(fields["steps"], bool(fields.get("log_uri")), rejected.skipped)
    # The step of enable_debugging is the first of the request, and none of the spec's.
    watched = {index - steps.debugging: more for index, more in policies.items()}
    items = steps.items and [
        {**item, **({} if index in rejected.unwatched else watched.get(index, {}))}
        for index, item in enumerate(steps.items)
    ]
    shared = {item.get("on_failure") for item in items or ()}
    more: dict[str, Any] = {"enable_debugging": True} if steps.debugging else {}
    if items and len(items) >= _COMMON and len(shared) == 1 and None not in shared:
        more["action_on_failure"] = items[0]["on_failure"]
        items = [{key: value for key, value in item.items() if key != "on_failure"} for item in items]
    made = {**fields, **more, "steps": items}
    return {key: made[key] for key in schemas.strict()["properties"] if key in made and made[key] is not None}


def _api_params(params: Mapping[str, Any], aside: Mapping[Member, str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for member in aside:
        value: Any = params
        owner = out
        for name in member[:-1]:
            value, owner = value[name], owner.setdefault(name, {})
        owner[member[-1]] = value[member[-1]]
    return out


def _comment(note: str) -> str:
    """Returns a note as one line, without characters that can't be printed."""
    return f"Note: {' '.join(word for word in note.split() if word.isprintable())}"


def _variables(redactor: Redactor, declared: Mapping[str, Variable]) -> dict[str, Any]:
    open_ones = {
        name: {**one.declared, **({"sensitive": True} if name in redactor.sensitive else {})}
        for name, one in declared.items()
    }
    literal: dict[str, Any] = map_texts(open_ones, escape)
    for name, one in declared.items():
        if one.template:
            literal[name] = {"type": one.type, "default": one.template, **literal[name]}
    for name in redactor.variables:
        # The environment's AWS_… are the credentials of the user who runs flowspec, not those of the job.
        env = {} if name.startswith("aws_") else {"env": name.upper()}
        literal[name] = {"type": "string", "sensitive": True, **env}
    return literal


# --- proving it ---


def _reject_errors(draft: _Draft, wanted: Wanted, folder: Path, rejected: _Rejected) -> bool:
    """Adds to `rejected` why a draft does not compile to the request; returns False if it does."""
    params = wanted.request
    before = rejected.count
    try:
        made = _compile_draft(draft, wanted, folder).params
    except SpecError as error:
        _reject_places(error, draft, params, rejected)
        reason = error.message
    else:
        if same(made, params):
            return False
        _reject_members(made, params, rejected)
        reason = "its spec would compile to another request"
    if before == rejected.count:
        raise FlowspecError(f"this request can't be written as a spec: {reason}", remedy="please report it")
    return True


def _compile_draft(draft: _Draft, wanted: Wanted, folder: Path) -> Request:
    source = Source("job.yaml", draft.text)
    root, found = compose(source)
    assert isinstance(root, MappingNode)
    document = Document(folder / "job.yaml", source, root, tuple(found))
    variables = {**draft.redactor.variables, **wanted.samples}
    return compile(validate(render(document, variables=variables, environ={}), emr_rules=False))


def _reject_places(error: SpecError, draft: _Draft, params: Mapping[str, Any], rejected: _Rejected) -> None:
    """Rejects the members (or the kind of the step) at the errors' places; all members for an error without one."""
    keys = {key: member for member, (key, _) in keys_of(schemas.strict()).items()}
    for found in error.diagnostics:
        if found.severity is not Severity.ERROR:
            continue
        path = _path_of(found, draft)
        if path[:1] == ("steps",) and len(path) > 1 and found.id in _OF_POLICIES:
            rejected.unwatched.setdefault(int(path[1]), found.message)
        elif path[:1] == ("steps",) and len(path) > 1:
            rejected.skipped[int(path[1])] += 1
        elif path and path[0] in keys:
            rejected.aside.setdefault(keys[str(path[0])], found.message)
        else:
            for member, _ in members(params, schemas.strict()):
                rejected.aside.setdefault(member, found.message)


def _path_of(found: Diagnostic, draft: _Draft) -> tuple[str | int, ...]:
    number = found.location.line if found.location else 0
    return draft.lines[number - 1].path[:2] if 0 < number <= len(draft.lines) else ()


def _reject_members(made: Mapping[str, Any], params: Mapping[str, Any], rejected: _Rejected) -> None:
    """Rejects the members that compile to another value."""
    compiled = dict(members(made, schemas.strict()))
    for member, value in members(params, schemas.strict()):
        if member not in compiled or not same({member[-1]: compiled[member]}, {member[-1]: value}):
            rejected.aside.setdefault(member, "the spec's own field for it compiles to something else")


def same(one: Any, other: Any) -> bool:
    """Returns True if two requests are equal: members, values with their types, and the order of lists except Tags."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            same(_sort_tags(item) if key == "Tags" else item, _sort_tags(other[key]) if key == "Tags" else other[key])
            for key, item in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _sort_tags(tags: Any) -> Any:
    return sorted(tags, key=lambda tag: (tag.get("Key", ""), tag.get("Value", "")))
