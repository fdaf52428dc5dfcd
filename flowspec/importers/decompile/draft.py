"""Drafts of a spec, until one proves to be the request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document import schema as schemas
from flowspec.document.parse import compose
from flowspec.document.render import render
from flowspec.document.tree import Document, Source
from flowspec.document.tree import Mapping as MappingNode
from flowspec.document.validate import validate
from flowspec.errors import Diagnostic, FlowspecError, Severity, SpecError
from flowspec.importers.decompile.placeholders import Variable, Wanted
from flowspec.importers.decompile.redact import Concealer, escaped
from flowspec.importers.decompile.remarks import remarks
from flowspec.importers.decompile.steps import Recognizer, region_of
from flowspec.importers.decompile.text import Line, write
from flowspec.importers.decompile.tree import Member, Unsaid, members, said
from flowspec.request.compile import compile
from flowspec.request.steps import World

_COMMON = 3


@dataclass(frozen=True)
class Decompiled:
    """A spec that compiles to a request.

    `text` is its YAML. `secrets` are the values of its sensitive variables, `places` where in the spec
    each of them stood. `leftover` are the members that had to go to `api_params`, each with the reason.
    """

    text: str
    secrets: Mapping[str, str] = field(repr=False)
    places: Mapping[str, tuple[str, ...]]
    leftover: Mapping[str, str]


class _Draft(NamedTuple):
    """An attempt. `aside`: members for api_params; `fields`: what its own words say."""

    lines: list[Line]
    concealer: Concealer
    aside: dict[Member, str]
    fields: dict[str, Any]

    @property
    def text(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


@dataclass
class _Doubts:
    """What did not prove itself so far: members to put aside, with why, and kinds not to take for a step."""

    aside: dict[Member, str] = field(default_factory=dict)
    skipped: Counter[int] = field(default_factory=Counter)


def decompile(
    request: Mapping[str, Any] | Wanted,
    *,
    folder: Path = Path(),
    origin: str = "",
    by: str = "import",
    keep_secrets: bool = False,
) -> Decompiled:
    """The spec of a request that botocore's model accepts (`read` gives one), or of one with holes.

    `folder` is where the spec will stand: a relative path in it must not become a local file. `origin` is
    named in its first line, with the command that it came `by`. Secrets become sensitive variables unless
    `keep_secrets`. Raises `FlowspecError` when no spec can say the request.
    """
    wanted = request if isinstance(request, Wanted) else Wanted(dict(request))
    doubts = _Doubts()
    head = [*([f"Imported from {origin} by `flowspec {by}`."] if origin else []), *map(_comment, wanted.notes)]
    draft = _draft(wanted, doubts, folder, head, keep_secrets)
    while _disproved(draft, wanted, folder, doubts):
        draft = _draft(wanted, doubts, folder, head, keep_secrets)
    concealer = draft.concealer
    leftover = {".".join(member): reason for member, reason in draft.aside.items()}
    places = {name: tuple(where) for name, where in concealer.places.items()}
    return Decompiled(draft.text, dict(concealer.variables), places, leftover)


# --- making a draft ---


def _draft(wanted: Wanted, doubts: _Doubts, folder: Path, head: list[str], keep_secrets: bool) -> _Draft:
    fields, aside = said(wanted.params, schemas.strict(), doubts.aside)
    region = wanted.region or region_of(fields.get("steps", []))
    if "steps" in fields:
        try:
            fields = _with_steps(fields, Recognizer(World.of(fields, region, "emr"), folder), doubts)
        except Unsaid as reason:
            del fields["steps"]
            region, aside["Steps",] = wanted.region, str(reason)
    spec: dict[str, Any] = {"flowspec": "v1", "name": fields.pop("name", "imported")}
    comments = remarks({**spec, **fields})
    if region:
        spec["region"] = region
    if region and not wanted.region:
        comments["region",] = ["the region of its script-runner.jar"]
    concealer = Concealer(keep_secrets, wanted.variables)
    spec |= fields
    if aside:
        spec["api_params"] = _api_params(wanted.params, aside)
        comments["api_params",] = [f"{'.'.join(member)}: {reason}" for member, reason in aside.items()]
    spec = concealer.concealed(spec)
    variables = _variables(concealer, wanted.variables)
    if variables:
        spec = {"flowspec": spec["flowspec"], "name": spec["name"], "variables": variables, **spec}
    return _Draft(write(spec, comments, head), concealer, aside, fields)


def _with_steps(fields: dict[str, Any], recognizer: Recognizer, doubts: _Doubts) -> dict[str, Any]:
    steps = recognizer.steps(fields["steps"], bool(fields.get("log_uri")), doubts.skipped)
    items = steps.items
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
    """A note as a comment: one line of what can be shown."""
    return f"Mind: {' '.join(word for word in note.split() if word.isprintable())}"


def _variables(concealer: Concealer, declared: Mapping[str, Variable]) -> dict[str, Any]:
    open_ones = {
        name: {**one.declared, **({"sensitive": True} if name in concealer.sensitive else {})}
        for name, one in declared.items()
    }
    literal = {key: _literally(rules) for key, rules in open_ones.items()}
    return literal | {
        name: {"type": "string", "sensitive": True, "env": name.upper()}
        # What AWS's own variables hold is whoever runs this, not what the job was given.
        if not name.startswith("aws_")
        else {"type": "string", "sensitive": True}
        for name in concealer.variables
    }


def _literally(value: Any) -> Any:
    """A declaration in which nothing is a template."""
    if isinstance(value, dict):
        return {key: _literally(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literally(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


# --- proving it ---


def _disproved(draft: _Draft, wanted: Wanted, folder: Path, doubts: _Doubts) -> bool:
    """Whether a draft is not the request; then `doubts` has grown, so that the next draft is another."""
    params = wanted.request
    before = (len(doubts.aside), doubts.skipped.total())
    try:
        made = _compiled(draft, {**draft.concealer.variables, **wanted.samples}, folder)
    except SpecError as error:
        _doubt_places(error, draft, params, doubts)
        reason = error.message
    else:
        if same(made, params):
            return False
        _doubt_members(made, params, doubts)
        reason = "its spec would compile to another request"
    if before == (len(doubts.aside), doubts.skipped.total()):
        raise FlowspecError(f"this request can't be written as a spec: {reason}", remedy="please report it")
    return True


def _compiled(draft: _Draft, variables: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    source = Source("job.yaml", draft.text)
    root, found = compose(source)
    assert isinstance(root, MappingNode)
    document = Document(folder / "job.yaml", source, root, tuple(found))
    return compile(validate(render(document, variables=variables, environ={}), emr_rules=False)).params


def _doubt_places(error: SpecError, draft: _Draft, params: Mapping[str, Any], doubts: _Doubts) -> None:
    """Puts aside what stands where the errors are; everything when that does not tell."""
    keys = _members_of_keys()
    for found in error.diagnostics:
        if found.severity is not Severity.ERROR:
            continue
        path = _place(found, draft)
        if path[:1] == ("steps",) and len(path) > 1:
            doubts.skipped[int(path[1])] += 1
        elif path and path[0] in keys:
            doubts.aside.setdefault(keys[str(path[0])], found.message)
        else:
            for member, _ in members(params, schemas.strict()):
                doubts.aside.setdefault(member, found.message)


def _place(found: Diagnostic, draft: _Draft) -> tuple[str | int, ...]:
    number = found.location.line if found.location else 0
    return draft.lines[number - 1].path[:2] if 0 < number <= len(draft.lines) else ()


def _members_of_keys() -> dict[str, Member]:
    known = schemas.strict()["properties"]
    return {key: tuple(schemas.api_name(key, one).split(".")) for key, one in known.items() if not one.get("x-tool")}


def _doubt_members(made: Mapping[str, Any], params: Mapping[str, Any], doubts: _Doubts) -> None:
    """Puts aside what came out different."""
    compiled = dict(members(made, schemas.strict()))
    for member, value in members(params, schemas.strict()):
        if member not in compiled or not same({member[-1]: compiled[member]}, {member[-1]: value}):
            doubts.aside.setdefault(member, "the spec's own words for it give something else")


def same(one: Any, other: Any) -> bool:
    """Whether two requests are the same: members, values and their types, the order of lists but for that of Tags."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            same(_sorted(item) if key == "Tags" else item, _sorted(other[key]) if key == "Tags" else other[key])
            for key, item in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _sorted(tags: Any) -> Any:
    return sorted(tags, key=lambda tag: (tag.get("Key", ""), tag.get("Value", "")))
