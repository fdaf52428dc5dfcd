"""Reads the schema file in its two forms, and finds the schema of a key.

`loose` is the form in the file: every value may be a template. Editors use it, and so do the checks of the parts
of a spec that are not rendered. `strict` is the same without the alternatives
`{"$ref": "#/$defs/template"}` and `{"$ref": "#/$defs/known_…"}`: the form of a rendered spec. In the file,
`{"$ref": "#/$defs/text"}` means text: the EMR API expects a string, and a plain YAML scalar gives it as it is
written; `strict` says `string` and marks it `x-text`. `schemas/generate.py` writes the file.

Beside the keywords of JSON Schema there are: `x-emr`, the member of RunJobFlow that a key becomes when that
is not the key in CamelCase; `x-shape`, the module of `request.shapes` for a friendlier shape; `x-tool`, for keys that
are not carried over by rule; `x-also`, other words people use for a key; `x-unit`, seconds, minutes
or hours, of which a key takes the number; `x-sensitive`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from flowspec.plugins import STEPS, failing, plugins

Schema: TypeAlias = "dict[str, Any]"

# Parts that only editors need: templates instead of values, and suggested names.
_FOR_EDITORS = ("#/$defs/template", "#/$defs/known_")
_TEXT = "#/$defs/text"


def path(name: str = "flowspec-v1.schema.json") -> Path:
    """Returns the path of a schema file: in the package, as a wheel has it, else beside it, as in a checkout."""
    package = Path(__file__).parents[1]
    found = (folder / "schemas" / name for folder in (package, package.parent))
    return next((one for one in found if one.is_file()), package / "schemas" / name)


def text() -> str:
    """Returns the schema as JSON text: with the kinds of steps of plugins, the file itself where there are none."""
    return json.dumps(loose(), indent=2, ensure_ascii=False) + "\n" if plugins(STEPS) else _file()


@cache
def _file() -> str:
    return path().read_text("utf-8")


@cache
def loose() -> Schema:
    """Returns the schema as editors use it, with the kinds of steps of plugins: any value may be a template."""
    schema: Schema = json.loads(_file())
    for name, plugin in plugins(STEPS).items():
        with failing(STEPS, name):
            _add_kind(schema["$defs"], name, plugin.SCHEMA)
    return schema


def _add_kind(definitions: dict[str, Any], name: str, own: Schema) -> None:
    """Adds the kind of step of a plugin, which has the keys of all kinds and its own."""
    step, script = definitions["step"], definitions["script_step"]
    if f"{name}_step" in definitions:
        raise ValueError("this kind of step is flowspec's own")
    common = {key: value for key, value in script["properties"].items() if key not in ("script", "args")}
    keys = {key: {"anyOf": [value, {"$ref": "#/$defs/template"}]} for key, value in own["properties"].items()}
    required = ["name", "type", *own.get("required", ())]
    definitions[f"{name}_step"] = {**script, **own, "required": required, "properties": {**common, **keys}}
    for kinds in (step["properties"]["type"], common["type"]):
        kinds["anyOf"][0]["enum"].append(name)
    condition = {"properties": {"type": {"const": name}}, "required": ["type"]}
    step["allOf"].append({"if": condition, "then": {"$ref": f"#/$defs/{name}_step"}})


@cache
def strict() -> Schema:
    """Returns the schema of a rendered spec."""
    return _strict(loose())


def _strict(schema: Schema) -> Schema:
    """Returns a part of the schema without the alternatives that only editors need."""
    if schema.get("$ref") == _TEXT or "x-text" in schema:
        bounds = {word: value for word, value in schema.items() if word not in ("$ref", "anyOf", "$comment")}
        return {"type": "string", "x-text": True, **bounds}
    out: Schema = {}
    # Only keywords that can contain alternatives are followed: 1.1 ms, instead of 2.2 ms with examples and enums.
    for word, value in schema.items():
        if type(value) is dict:
            out[word] = _strict(value)
        elif word in ("anyOf", "allOf"):
            out[word] = [_strict(one) for one in value if not is_for_editors(one)]
        else:
            out[word] = value
    if len(out.get("anyOf", ())) == 1:
        out.update(out.pop("anyOf")[0])
    return out


def kind(value: Any) -> str:
    """Returns the kind of a plain value that decides between shapes: object, array, scalar."""
    return _KINDS.get(type(value), "scalar")


_KINDS: dict[type, str] = {dict: "object", list: "array"}


def resolve_schema(schema: Schema, of_kind: str, type_word: Any = None) -> Schema:
    """Returns the strict schema with references followed and the shape chosen that fits a value.

    `of_kind` chooses between alternatives of different shape; `type_word`, the value of the key `type`,
    between kinds of steps.
    """
    if not _needs_resolution(schema):
        return schema
    key = (id(schema), of_kind, type_word if isinstance(type_word, str) else "")
    known = _RESOLVED.get(key)
    if known is None or known[0] is not schema:
        known = _RESOLVED[key] = (schema, _resolve_fully(schema, of_kind, type_word))
    return known[1]


# By the identity of a schema. The schema itself is kept, too, so that no other can get its id. Schemas never change.
_RESOLVED: dict[tuple[int, str, str], tuple[Schema, Schema]] = {}


def _needs_resolution(schema: Schema) -> bool:
    return "$ref" in schema or "anyOf" in schema or "allOf" in schema


def _resolve_fully(schema: Schema, of_kind: str, type_word: Any) -> Schema:
    while _needs_resolution(schema):
        if "$ref" in schema:
            schema = _follow_reference(schema)
        elif "anyOf" in schema:
            rest = {word: value for word, value in schema.items() if word != "anyOf"}
            schema = {**rest, **_choose_alternative(schema["anyOf"], of_kind)}
        else:
            schema = _choose_step_kind(schema, type_word)
    return schema


def resolve_reference(reference: str, root: Schema) -> Any:
    """Resolves a reference within the schema (`#/$defs/step`)."""
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _follow_reference(schema: Schema) -> Schema:
    target: Schema = resolve_reference(schema["$ref"], strict())
    rest = {word: value for word, value in schema.items() if word != "$ref"}
    return {**target, **rest} if rest else target


def _choose_alternative(options: list[Schema], of_kind: str) -> Schema:
    for one in options:
        if of_kind in {kind_of_type(name) for name in types_of(one)}:
            return _follow_reference(one) if "$ref" in one else one
    return options[0]


def kind_of_type(type_name: str) -> str:
    """Returns the kind of the values of a type, as `kind` does of a value."""
    return type_name if type_name in ("object", "array") else "scalar"


def types_of(schema: Schema) -> list[str]:
    """Returns the types a schema (or what it refers to) allows, as a list."""
    types = (_follow_reference(schema) if "$ref" in schema else schema).get("type", [])
    return types if isinstance(types, list) else [types]


def is_for_editors(schema: Schema) -> bool:
    """Returns True if an alternative is one that a rendered spec does not have."""
    return str(schema.get("$ref")).startswith(_FOR_EDITORS)


def _choose_step_kind(schema: Schema, type_word: Any) -> Schema:
    for one in schema["allOf"]:
        if one["if"]["properties"]["type"].get("const") == type_word:
            return _follow_reference(one["then"])
    return {word: value for word, value in schema.items() if word != "allOf"}


def kinds_of_step(shape: Schema) -> dict[str, Schema]:
    """Returns the schemas of the kinds of a step, by type; {} for any other shape."""
    names = shape.get("properties", {}).get("type", {}).get("enum", ())
    definitions = strict()["$defs"]
    return {name: definitions[f"{name}_step"] for name in names if f"{name}_step" in definitions}


def member(schema: Schema, key: str) -> Schema | None:
    """Returns the schema of a key's value in a schema that `resolve_schema` gave; None when the key is unknown."""
    found: Schema | None = schema.get("properties", {}).get(key)
    if found is None and isinstance(schema.get("additionalProperties"), dict):
        found = schema["additionalProperties"]
    return found


def api_name(key: str, schema: Schema) -> str:
    """Returns the member of RunJobFlow that a key becomes: `x-emr` (a dotted path), else the key in CamelCase."""
    return schema.get("x-emr") or camel_case(key)


@cache
def camel_case(name: str) -> str:
    """Turns `auto_scaling_role` into `AutoScalingRole`; what is CamelCase already stays."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
