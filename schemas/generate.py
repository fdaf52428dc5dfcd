"""Writes `flowspec-v1.schema.json`, which editors and flowspec load, from `flowspec-v1.source.yaml`.

    python schemas/generate.py

The source says each property once and as a rendered spec must have it, in the words of JSON Schema (draft
2020-12), in flowspec's own (`x-emr` and so on: see the module `schema` of the package), and in these, which
the schema has no more:

    type: text       a string; other plain scalars are taken as they are written, so `count: 3` is "3"
    known: NAME      editors offer the names in one of flowspec's tables, and forbid no other (see `KNOWN`)
    template: false  no template here; everywhere else a template may be written instead of a value
    by-name: true    at a target, the list may also be a mapping of items' names to what differs in them
    shared           properties that several shapes have, used by their YAML anchors
    target           the keys that a target has beside those of a spec
    definitions      shapes to refer to, as `#/$defs/NAME`
    steps            the kinds of steps: each becomes `#/$defs/NAME_step`

An object has the `properties` that are listed and no others, unless it says `additionalProperties`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Schema: TypeAlias = "dict[str, Any]"

HERE = Path(__file__).parent
SOURCE = HERE / "flowspec-v1.source.yaml"
SCHEMA = HERE / "flowspec-v1.schema.json"

TEMPLATE = {"$ref": "#/$defs/template"}
TEXT = {"$ref": "#/$defs/text"}
NULL = {"type": "null"}

# What is said about a value, not what it must be: it stays beside the alternatives.
ABOUT = frozenset(
    ("description", "examples", "default", "x-emr", "x-also", "x-shape", "x-tool", "x-unit", "x-sensitive")
)
OURS = frozenset(("known", "template", "by-name"))


def generated() -> str:
    """The text of the schema file."""
    source = yaml.safe_load(SOURCE.read_text("utf-8"))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": source["description"],
        "type": "object",
        "required": source["required"],
        "additionalProperties": False,
        "properties": _each(source["properties"]),
        "$defs": {
            **_for_editors(),
            **{name: _shape(one) for name, one in source["definitions"].items()},
            **_steps(source["steps"]),
            "target": _target(source),
        },
    }
    return _written(schema) + "\n"


def _for_editors() -> dict[str, Schema]:
    """The alternatives that let an editor accept or offer what a rendered spec does not have as it is."""
    return {
        "template": {
            # No description: editors would show it in place of that of the key.
            "$comment": "A Jinja template, see `flowspec explain templates`; a lone `{{ expression }}` keeps its type.",
            "type": "string",
            "pattern": "\\{[{%]",
        },
        "text": {
            # A list of types would do the same, but for `boolean` editors offer `true` and `false`.
            "$comment": "A string. Any other plain scalar is the text that it is written as.",
            "x-text": True,
            "anyOf": [{"type": "string"}, {"not": {"type": ["array", "object", "null"]}}],
        },
        **{f"known_{name}": _offered(values) for name, values in known().items()},
    }


def _offered(values: list[str]) -> Schema:
    """Values that an editor offers. It matches none of them, else a hover would list them all as the allowed ones."""
    return {
        "$comment": "What editors offer. It fits nothing, so it allows and forbids nothing.",
        "enum": values,
        "not": {},
    }


def known() -> dict[str, list[str]]:
    """The names that flowspec knows without asking AWS, likely ones first."""
    releases = _table("releases.json")
    groups = _table("instance_types.json")["types"]
    return {
        "releases": [*releases["releases"][::-1], *releases["others"]],
        "applications": list(releases["applications"]),
        "instance_types": sorted({name for group in groups for name in group["types"]}),
    }


def _table(name: str) -> Any:
    # By its name alone: a table is one file in the package, wherever its module is.
    (path,) = (HERE.parent / "flowspec").rglob(name)
    return json.loads(path.read_text("utf-8"))


def _each(properties: dict[str, Schema]) -> dict[str, Schema]:
    return {key: _loose(one) for key, one in properties.items()}


def _loose(schema: Schema) -> Schema:
    """A value as editors check it: a template may be written instead, unless the source says `template: false`."""
    wanted = {word: said for word, said in _shape(schema).items() if word not in ABOUT}
    about = {word: said for word, said in schema.items() if word in ABOUT}
    options = wanted.pop("anyOf", None) or _options(schema, wanted)
    if schema.get("template", True) and "const" not in wanted and not any(one in ({}, TEXT) for one in options):
        options = [*options, TEMPLATE]
    return {**about, **options[0]} if len(options) == 1 else {**about, "anyOf": options}


def _options(schema: Schema, wanted: Schema) -> list[Schema]:
    """The alternatives that a value has already without templates."""
    types = wanted.get("type", ())
    if "text" not in types:
        return [wanted]
    bounds = {word: said for word, said in wanted.items() if word != "type"}
    offered = [{"$ref": f"#/$defs/known_{schema['known']}"}] if "known" in schema else []
    return [{**TEXT, **bounds}, *([NULL] if "null" in types else []), *offered]


def _shape(schema: Schema) -> Schema:
    """A schema with what it holds made ready for editors, but no template in its own place."""
    out = {word: said for word, said in schema.items() if word not in OURS}
    if "properties" in out:
        out = {"additionalProperties": False, **out, "properties": _each(out["properties"])}
    for word in ("items", "additionalProperties"):
        if isinstance(out.get(word), dict):
            out[word] = _loose(out[word])
    if "anyOf" in out:
        out["anyOf"] = [option for one in out["anyOf"] for option in _options(one, _shape(one))]
    return out


def _steps(kinds: dict[str, Schema]) -> dict[str, Schema]:
    """`step`, which tells the kinds apart by `type`, and a shape for each kind."""

    def type_of(example: str) -> Schema:
        told = "The kind of step; it decides which other keys there are."
        return {"description": told, "examples": [example], "type": "string", "enum": list(kinds)}

    shapes = {}
    for kind, one in kinds.items():
        name, *others = one["properties"].items()
        properties = dict((name, ("type", type_of(kind)), *others))
        shapes[f"{kind}_step"] = _shape(
            {**one, "required": ["name", "type", *one["required"]], "properties": properties}
        )
    step = {
        "type": "object",
        "required": ["name", "type"],
        "properties": _each({"type": type_of(next(iter(kinds)))}),
        "allOf": [
            {
                "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                "then": {"$ref": f"#/$defs/{kind}_step"},
            }
            for kind in kinds
        ],
    }
    return {"step": step, **shapes}


def _target(source: Schema) -> Schema:
    """A target: its own keys, and those of the spec that may differ between targets."""
    own = {key: _loose(one) for key, one in source["target"]["properties"].items()}
    spec = {
        key: _overriding(key, one, source["definitions"])
        for key, one in source["properties"].items()
        if one.get("template", True) and "const" not in one
    }
    told = source["target"]["description"]
    return {"description": told, "type": "object", "additionalProperties": False, "properties": {**own, **spec}}


def _overriding(key: str, schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A key of the spec at a target: merged over the spec's own when it is a collection; null removes it."""
    kinds = {_type(one, definitions) for one in schema.get("anyOf", [schema])} & {"array", "object"}
    if not kinds:
        # No examples: an editor would show them twice, here and where the reference leads.
        return {"description": schema["description"], "anyOf": [{"$ref": f"#/properties/{key}"}, NULL]}
    if schema.get("by-name"):
        kinds.add("object")
        merged = (
            f"Merged over `{key}` of the spec; as a mapping, its keys name items that are there, and null drops one."
        )
    else:
        merged = f"Merged over `{key}` of the spec."
    return {
        "description": f"{merged} {schema['description']}",
        "examples": schema["examples"],
        "type": [*sorted(kinds), "string", "null"],
    }


def _type(schema: Schema, definitions: dict[str, Schema]) -> str:
    return str(definitions[schema["$ref"].rpartition("/")[2]]["type"] if "$ref" in schema else schema["type"])


def _written(value: Any, indent: str = "") -> str:
    """JSON with each part on one line that fits there (120 characters), for diffs that can be read."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) < 120 or not isinstance(value, dict | list):
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_written(one, deeper)}" for key, one in value.items()]
    elif all(isinstance(one, str) for one in value):
        # Rows of eight: the names of instance types are a thousand lines otherwise.
        parts = [json.dumps(value[at : at + 8], ensure_ascii=False)[1:-1] for at in range(0, len(value), 8)]
    else:
        parts = [_written(one, deeper) for one in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{closing}"


if __name__ == "__main__":
    SCHEMA.write_text(generated(), "utf-8")
