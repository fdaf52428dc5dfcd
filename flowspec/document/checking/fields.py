"""Describes a field of the spec from the schema: its type, what it is for, an example, the member of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flowspec.document import schema as schemas
from flowspec.document.nearest import did_you_mean
from flowspec.document.schema import Schema
from flowspec.document.text.dump import dump
from flowspec.errors import NothingFound

_MAX_SUGGESTIONS = 3  # As many as fit on a line of a terminal.


class UnknownFieldError(NothingFound):
    """A field that its parent does not have; the remedy names similar fields."""


class Field(NamedTuple):
    """A field that was found: its path, its schema, and its member of RunJobFlow ("" if it has no own member)."""

    path: str
    schema: Schema
    member: str


def describe_field(path: str) -> str:
    """Returns a page of Markdown on a field, such as `instance_groups.type` or `steps.streaming.mapper`.

    A path has the keys from the top of the spec; lists are passed through, and a step's kind, or any name of a variable
    or target, is a part of it. Raises UnknownFieldError.
    """
    return "\n".join(_page_lines(find_field(path))) + "\n"


def find_field(path: str) -> Field:
    """Returns the field at a path. Raises UnknownFieldError."""
    field = Field("", schemas.resolve_schema(schemas.strict(), "object"), "")
    for word in path.split("."):
        field = _child_field(field, word)
    return field


def field_names(path: str) -> list[str]:
    """Returns the names of the fields below a path ("": of the spec), and of the kinds of steps there.

    Raises UnknownFieldError.
    """
    return [*_fields_of(find_field(path).schema if path else schemas.resolve_schema(schemas.strict(), "object"))]


def _fields_of(schema: Schema) -> dict[str, Schema]:
    shape = _object_schema(schema)
    return {**_kinds(shape), **shape.get("properties", {})}


def _child_field(at: Field, word: str) -> Field:
    shape = _object_schema(at.schema)
    kinds = _kinds(shape)
    if word in kinds:
        return Field(f"{at.path}.{word}", {**kinds[word], "x-kind": word}, at.member)
    path = f"{at.path}.{word}".lstrip(".")
    found = schemas.member(shape, word) or _common_field(kinds, word)
    if found is None:
        raise _unknown_field_error(at, shape, word)
    if word not in shape.get("properties", ()) and "additionalProperties" in shape and word:
        # The user chooses this name: it is not a member of the API.
        return Field(path, {"description": f"A name of your own below `{at.path}`.", **found}, at.member)
    if (kinds or "x-kind" in at.schema) and at.member:
        return Field(path, found, _member_of_step(at, found, word))
    if at.path.startswith("targets."):
        # The example of a target's key is that of the same key of the spec.
        found = {**schemas.strict()["properties"].get(word, {}), **found}
    tool = found.get("x-tool") or (at.path and not at.member)
    member = "" if tool else ".".join(filter(None, (at.member, schemas.api_name(word, found))))
    if member and "items" in schemas.resolve_schema(found, "array"):
        member += "[]"
    return Field(path, found, member)


def _common_field(kinds: Mapping[str, Schema], word: str) -> Schema | None:
    """Returns the field of a step that all kinds have."""
    found = [one.get("properties", {}).get(word) for one in kinds.values()]
    return next(iter(found), None) if all(found) else None


def _member_of_step(at: Field, found: Schema, word: str) -> str:
    """Returns the member of a field of a step; the fields that only some kinds have make up the HadoopJarStep."""
    if found.get("x-tool"):
        return ""
    return f"{at.member}.{_STEP_MEMBERS.get(word, 'HadoopJarStep')}"


_STEP_MEMBERS = {"name": "Name", "on_failure": "ActionOnFailure", "type": "HadoopJarStep"}


def _object_schema(schema: Schema) -> Schema:
    """Returns the object that has a field's keys: its own, or that of the items of a list."""
    shape = schemas.resolve_schema(schema, "object")
    while (
        "properties" not in shape and "additionalProperties" not in shape and "items" in (items := _list_schema(shape))
    ):
        shape = schemas.resolve_schema(items["items"], "object")
    return shape


def _list_schema(schema: Schema) -> Schema:
    return schema if "items" in schema else schemas.resolve_schema(schema, "array")


def _kinds(shape: Schema) -> dict[str, Schema]:
    """Returns the kinds of a step with their schemas; {} for one kind, and for any other shape."""
    return {} if "x-kind" in shape else schemas.kinds_of_step(shape)


def _unknown_field_error(at: Field, shape: Schema, word: str) -> UnknownFieldError:
    kinds = _kinds(shape)
    known = [*kinds, *shape.get("properties", ())]
    having = _paths_of_name(word, at.path, at.schema)
    deeper = [path for key, one in shape.get("properties", {}).items() for path in _paths_of_name(word, key, one)]
    if having:
        remedy = f"it is a field of a kind of step: {', '.join(having)}"
    elif deeper and not at.path:
        remedy = f"did you mean {' or '.join(deeper[:_MAX_SUGGESTIONS])}?"
    elif known:
        lists = f"`{' '.join(['flowspec explain', at.path]).rstrip()}` lists its fields"
        remedy = did_you_mean(word, known, most=_MAX_SUGGESTIONS) or lists
    else:
        remedy = f"it has no fields; `flowspec explain {at.path}` shows what it takes"
    return UnknownFieldError(f"{at.path or 'the spec'} has no field {word or repr(word)}", remedy=remedy)


def _paths_of_name(word: str, name: str, schema: Schema) -> list[str]:
    """Returns the paths of the fields and kinds of step with this name within a field."""
    shape = _object_schema(schema)
    kinds = _kinds(shape)
    if word in kinds or word in shape.get("properties", ()) or _common_field(kinds, word):
        return [f"{name}.{word}"]
    return [f"{name}.{kind}.{word}" for kind, one in kinds.items() if word in one.get("properties", {})]


def _page_lines(field: Field) -> Iterator[str]:
    yield f"# {field.path}"
    yield ""
    yield str(field.schema.get("description", ""))
    yield ""
    yield from (f"- {line}" for line in _fact_lines(field))
    for example in field.schema.get("examples", ())[:1]:
        yield from ("", "## Example", "", "```yaml")
        yield dump({field.path.rpartition(".")[2]: example}).rstrip("\n")
        yield "```"
    listed = _fields_of(field.schema)
    if listed:
        yield from ("", "## Fields", "")
        yield from (f"- `{key}`: {_first_sentence(one)}" for key, one in listed.items())


def _fact_lines(field: Field) -> Iterator[str]:
    types = _type_text(field.schema)
    if types:
        yield f"Type: {types}"
    allowed = field.schema.get("enum")
    if allowed:
        yield f"One of: {', '.join(map(str, allowed))}"
    if limits := ", ".join(_limit_texts(field.schema)):
        yield f"Limits: {limits}"
    if field.schema.get("default") is not None:
        yield f"Default: {json.dumps(field.schema['default'])}"
    if field.member:
        yield f"Member of RunJobFlow: {field.member}"


def _limit_texts(schema: Schema) -> Iterator[str]:
    """Yields `1 to 256 characters`, `at least 2 items`, `at most 10`, `form ^s3://`."""
    for least, most, noun in _BOUNDS:
        if text := _range_text(schema.get(least), schema.get(most)):
            yield f"{text} {noun}{'' if text.split()[-1] == '1' else 's'}" if noun else text
    if "pattern" in schema:
        yield f"form {schema['pattern']}"


def _range_text(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low:,}" if low is not None else f"at most {high:,}" if high is not None else ""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


_BOUNDS = (("minimum", "maximum", ""), ("minLength", "maxLength", "character"), ("minItems", "maxItems", "item"))
_TYPES = {"object": "mapping", "array": "list", "string": "text"}


def _type_text(schema: Schema) -> str:
    alternatives = schema.get("anyOf", [schema])
    names = [_TYPES.get(name, name) for one in alternatives for name in schemas.types_of(one)]
    return " or ".join(dict.fromkeys(names))


def _first_sentence(schema: Schema) -> str:
    text = str(schema.get("description", ""))
    return text.split(". ", maxsplit=1)[0].rstrip(".") + "."
