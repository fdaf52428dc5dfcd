"""Words the errors of JSON Schema for people who do not know the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from flowspec.document.checking.fits import TYPES
from flowspec.document.nearest import MAX_GUESSES, did_you_mean, nearest
from flowspec.document.schema import (
    Schema,
    api_name,
    is_for_editors,
    kind,
    kind_of_type,
    kinds_of_step,
    strict,
    types_of,
)
from flowspec.document.text.parse import DASHES
from flowspec.errors import shorten


class Violation(NamedTuple):
    """A finding that knows its path in the document, not yet its place. `key`: it is about the key itself.

    `whole`: the whole value at the path is wrong, so no rule should check it. `about`: the missing key, or the key that
    an unknown key probably stands for.
    """

    id: str
    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    key: bool = False
    whole: bool = False
    about: str = ""


_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def explain_error(error: Any, before: tuple[str | int, ...] = ()) -> Iterator[Violation]:
    """Yields a jsonschema `ValidationError` as findings; `before` leads to the part that was checked."""
    path = (*before, *error.absolute_path)
    if "propertyNames" in error.relative_schema_path:
        yield Violation("FS105", (*path, error.instance), _explain_odd_name(error), key=True, whole=True)
        return
    explain = _EXPLAINERS.get(error.validator)
    if explain is None:
        yield Violation("FS100", path, error.message, whole=True)
        return
    yield from explain(error, path)


def _name_of_place(path: tuple[str | int, ...]) -> str:
    """Returns the name of the thing at a path: its key, or an item of it."""
    keys = [step for step in path if isinstance(step, str)]
    name = keys[-1] if keys else "the spec"
    return f"an item of {name}" if path and isinstance(path[-1], int) else f"'{name}'" if keys else name


def _explain_odd_name(error: Any) -> str:
    name = error.instance
    if error.validator == "enum":
        return f"'{name}' is not one of {', '.join(error.validator_value)}"
    if error.validator == "pattern":
        return f"'{name}' can't be a name: use letters, digits and _"
    return (
        f"the key is {len(name)} characters long, up to {error.validator_value} are allowed"
        if name
        else "a key is empty"
    )


# Up to this number of keys, all are listed beside a guess, because the guess may be wrong.
_FEW_KEYS = 3
# So many fit on about a line of a terminal. Only the spec, a target and the kinds of steps have more keys.
_MAX_KEYS_LISTED = 12


def _explain_unknown_keys(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    known: Schema = error.schema.get("properties", {})
    unknown = [name for name in error.instance if name not in known]
    for index, name in enumerate(unknown):
        elsewhere = _hint_of_other_key(name, known)
        guesses = not elsewhere and index < MAX_GUESSES
        meant = _key_meant(name, error.instance[name], known) if guesses else ""
        hint = elsewhere or _hint_of_key(meant, error.instance)
        notes = (_note_on_keys(known, error.instance, path),) if known and (not hint or len(known) <= _FEW_KEYS) else ()
        message = f"unknown key '{shorten(name, 100)}'"
        yield Violation("FS101", (*path, name), message, hint, notes, key=True, whole=True, about=meant)


def _note_on_keys(known: Schema, given: Mapping[str, Any], path: tuple[str | int, ...]) -> str:
    """Returns the keys that a mapping of a spec may have, or the command that lists them when there are many."""
    if len(known) <= _MAX_KEYS_LISTED:
        return f"known here: {', '.join(known)}"
    words = [step for step in path if isinstance(step, str)]
    if words[:1] == ["targets"]:
        words[1] = "NAME"  # a name may have dots, which separate the words of a field
    if words[-1:] == ["steps"] and "type" in given:
        words.append(given["type"])
    field = f" {'.'.join(words)}" if words else ""
    return f"`flowspec explain{field}` lists the {len(known)} keys known here"


# Keys of the API and of other tools that have no single counterpart in a spec or target, as `_normalize_name` writes
# them, and their remedies.
_HINTS_OF_OTHER_KEYS = {
    "instances": "write the members of Instances here, without `Instances`",
    "autoterminate": "write its opposite: `keep_alive: false` ends the cluster after its steps",
    "noautoterminate": "write `keep_alive: true`",
    "ec2attributes": "write its members here: ec2_keyname, ec2_subnet_id, job_flow_role, …",
    **{
        f"{role}instance{shape}": f"write an item of instance_{shape}s with {key}: {role.upper()}"
        for role in ("master", "core", "task")
        for shape, key in (("group", "role"), ("fleet", "type"))
    },
}


def _hint_of_other_key(name: str, known: Schema) -> str:
    """Returns the remedy for a key of another tool, or of another kind of step; "" for other keys."""
    normal = _normalize_name(name)
    found = _HINTS_OF_OTHER_KEYS.get(normal, "") if "keep_alive" in known else ""
    if found or "on_failure" not in known or normal in _aliases_of_keys(known):
        return found
    kinds = [one for one, schema in kinds_of_step(strict()["$defs"]["step"]).items() if name in schema["properties"]]
    return f"it is a key of steps with type: {' or '.join(kinds)}" if kinds and len(kinds) <= _FEW_KEYS else ""


# The number of a format. EMR's releases begin at 4.0.0, the AMIs before them at 2.0.0 with more than one 0.
_FORMAT_VERSION = re.compile(r"v\d+|[0-3](\.0)?")


def _key_meant(name: str, value: Any, known: Schema) -> str:
    """Returns the key that an unknown key probably stands for, "" for none."""
    normal = _normalize_name(name)
    if normal == "version" and "flowspec" in known and _FORMAT_VERSION.fullmatch(str(value)):
        return "flowspec"
    words = _aliases_of_keys(known)
    return words.get(normal) or nearest(name, known) or words.get(nearest(normal, words), "")


def _hint_of_key(meant: str, given: Collection[str]) -> str:
    if meant == "flowspec":
        # It takes one value.
        return "leave it out: `flowspec: v1` is the version" if meant in given else "did you mean flowspec: v1?"
    return f"did you mean {meant}?" if meant else ""


def _normalize_name(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _aliases_of_keys(known: Schema) -> dict[str, str]:
    """Returns other names of keys: those of the API, and the words listed for them."""
    words = {}
    for name, schema in known.items():
        words[_normalize_name(api_name(name, schema).rsplit(".", 1)[-1])] = name
        words.update({_normalize_name(word): name for word in schema.get("x-also", ())})
    words.update({_normalize_name(name): name for name in known})
    return words


def _explain_missing_key(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    name = missing_key(error)
    hint = _example_hint(name, error.schema.get("properties", {}).get(name, {}))
    if name == "flowspec" and _KEYS_OF_REQUESTS.intersection(error.instance):
        hint = "if this is a request or a template of another tool, `flowspec import FILE` converts it"
    yield Violation("FS102", path, f"the key '{name}' is missing", hint, about=name)


# Of RunJobFlow's request and of CloudFormation's templates.
_KEYS_OF_REQUESTS = frozenset({"Instances", "ReleaseLabel", "Resources"})


def missing_key(error: Any) -> str:
    """Returns the key that is missing: jsonschema makes one error for each, and names the key only in its message."""
    keys: list[str] = error.validator_value
    return next((key for key in keys if error.message == f"{key!r} is a required property"), "?")


def _example_hint(name: str, schema: Schema) -> str:
    """Returns the first example of a key, or of an item without a name, as a hint; "" if that is long."""
    first = (schema.get("examples") or [schema.get("const")])[0]
    is_short = kind(first) == "scalar" or (isinstance(first, list) and _is_short(first))
    if first is None or not is_short:
        return ""
    return f"such as {name}: {_scalar_text(first)}" if name else f"such as {_scalar_text(first)}"


def _is_short(values: Collection[Any]) -> bool:
    return len(values) <= _FEW_KEYS and {*map(kind, values)} == {"scalar"}


def _scalar_text(value: Any) -> str:
    return (
        f"[{', '.join(map(_scalar_text, value))}]"
        if isinstance(value, list)
        else f'"{value}"'
        if isinstance(value, str) and re.search(r"{|^[>|*&!%@]", value)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _explain_type(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    found = _type_violation(error.instance, wanted, path)
    if found.hint:
        yield found
    elif isinstance(error.instance, dict) and "configurations" in path:
        yield found._replace(hint="a nested classification is below the key `configurations` of its classification")
    elif kind(error.instance) == "scalar" and {"integer", "number"} & {*wanted}:
        from flowspec.document.checking.durations import convert_duration

        unit = error.schema.get("x-unit", "") if isinstance(error.instance, str) else ""
        number = convert_duration(error.instance, unit, whole="number" not in wanted) if unit else ""
        if number and error.schema.get("minimum", 0) <= float(number) <= error.schema.get("maximum", float("inf")):
            yield found._replace(hint=f"write {number}, the number of {unit}")
            return
        # The first sentence says the unit.
        meaning = error.schema.get("description", "").partition(". ")[0].rstrip(".")
        yield found._replace(notes=(meaning,) if meaning else ())
    else:
        hint = _mapping_example_hint(error.schema) if wanted == ["object"] else ""
        yield found._replace(hint=hint or (_example_hint("", error.schema) if wanted == ["string"] else ""))


def _mapping_example_hint(schema: Schema) -> str:
    """Returns the example of a mapping, else of its required keys, if it is a few keys with scalars; else ""."""
    properties = schema.get("properties", {})
    required: dict[str, Any] = {
        name: next(iter(properties.get(name, {}).get("examples", ())), {}) for name in schema.get("required", ())
    }
    examples = (one for one in (*schema.get("examples", ())[:1], required) if isinstance(one, dict))
    example = next((one for one in examples if _is_short(one.values())), None)
    if example is None:
        return ""
    return f"such as {{{', '.join(f'{key}: {_scalar_text(value)}' for key, value in example.items())}}}"


def _type_violation(value: Any, wanted: list[str], path: tuple[str | int, ...]) -> Violation:
    listed = " or ".join(dict.fromkeys(_TYPES[one] for one in wanted if one != "null"))
    is_not = "has no value" if value is None else f"is {_describe_value(value)}"
    message = f"{_name_of_place(path)} must be {listed}, this {is_not}"
    return Violation("FS103", path, message, _type_hint(value, wanted), whole=True)


def _describe_value(value: Any) -> str:
    if isinstance(value, str):
        return f"the string '{shorten(value)}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"


def _type_hint(value: Any, wanted: list[str]) -> str:
    if isinstance(value, str):
        if "integer" in wanted or "number" in wanted:
            return _number_hint(value)
        if "boolean" in wanted:
            return _boolean_hint(value)
    if wanted == ["array"] and kind(value) == "scalar" and value is not None:
        return _list_hint(_scalar_text(value))
    if wanted == ["array"] and kind(value) == "object":
        return "begin each item of the list with `- `"
    return "give it one, or leave it out" if value is None else ""


def _number_hint(text: str) -> str:
    """Returns how to write a text that looks like a number: in YAML, it has no zeros in front and no separators."""
    if re.fullmatch(r"[-+]?(0|[1-9]\d*)(\.\d+)?", text):
        return "drop the quotes"
    plain = re.fullmatch(r"0*([1-9]\d*|0)", re.sub(r"(?<=\d)(_(?=\d)|,(?=\d{3}(?!\d)))", "", text))
    return f"write {plain[1]}" if plain else ""


def _list_hint(text: str) -> str:
    """Returns how to write a scalar as a list: words like those of a command line become an item each."""
    begin = text.lstrip('"')[:2]
    if begin[:1] in [*DASHES]:
        return f"begin each item with an ordinary hyphen, in place of U+{ord(begin[0]):04X}"
    if begin == "- ":
        return "write the items below the key, without quotes, | or >"
    words = text.split()
    if len(words) > 1 and not set(text) & set(",'\""):
        return "make each word an item: [" + shorten(", ".join(words), 40) + "]"
    return "put it in brackets: [" + shorten(text, 40) + "]"


def _boolean_hint(value: str) -> str:
    word = value.lower()
    if word in ("true", "false"):
        return "drop the quotes" if value == word else f"write {word}"
    if word in ("yes", "on", "y", "no", "off", "n"):
        return f"write {'true' if word in ('yes', 'on', 'y') else 'false'}: YAML 1.2 knows no other words"
    return ""


# Words of AWS's pages, of the AWS CLI and of other tools for roles of nodes, kinds of steps and backends.
_OTHER_WORDS = {
    "PRIMARY": "MASTER",
    "SLAVE": "CORE",
    "WORKER": "CORE",
    "CUSTOM_JAR": "jar",
    "SHELL": "script",
    "BASH": "script",
    "AWS": "emr",
}
_KEY_TITLES = {"on_failure": "action on failure", "defaults": "set of defaults"}


def _explain_enum(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    allowed = [str(one) for one in error.validator_value]
    types = types_of(error.schema)
    if types and not any(TYPES[one](error.instance) for one in types):
        return  # the finding about its type says that
    name = next((step for step in reversed(path) if isinstance(step, str)), "value")
    called = _KEY_TITLES.get(name, name.replace("_", " "))
    article = "an" if called[0] in "aeiou" else "a"
    is_text = isinstance(error.instance, str)
    shown = f"'{shorten(error.instance)}'" if is_text else shorten(json.dumps(error.instance))
    other = _OTHER_WORDS.get(error.instance.upper()) if is_text else None
    hint = did_you_mean(other if other in allowed else error.instance, allowed) if is_text else ""
    yield Violation("FS104", path, f"{shown} is not {article} {called}", hint, (", ".join(allowed),), whole=True)


def _explain_constant(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    message = (
        f"{_name_of_place(path)} is {_scalar_text(error.validator_value)} here, not {_scalar_text(error.instance)}"
    )
    yield Violation("FS104", path, message, f"write {error.validator_value}", whole=True)


def _explain_pattern(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    shown = shorten(str(error.instance))
    message = f"{_name_of_place(path)}: '{shown}' does not match {error.validator_value}"
    yield Violation("FS105", path, message, whole=True)


def _explain_bound(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    bound = "least" if error.validator == "minimum" else "greatest"
    message = f"{_name_of_place(path)} is {error.instance}, the {bound} allowed is {error.validator_value}"
    yield Violation("FS106", path, message, whole=True)


def _explain_length(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    limit, size = error.validator_value, len(error.instance)
    what = "characters" if isinstance(error.instance, str) else "items"
    hint = ""
    if size == 0:
        message = f"{_name_of_place(path)} is empty"
        # A part of `anyOf` has no examples of its own.
        parts = (error.schema, error.parent.schema) if error.parent else (error.schema,)
        name = path[-1] if isinstance(path[-1], str) else ""
        hint = next(filter(None, (_example_hint(name, part) for part in parts)), "")
    else:
        bound = (
            f"at most {limit} are allowed" if error.validator.startswith("max") else f"at least {limit} are required"
        )
        message = f"{_name_of_place(path)} has {size} {what}, {bound}"
    yield Violation("FS107", path, message, hint, whole=True)


def _explain_repeated_item(_error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    yield Violation("FS108", path, f"{_name_of_place(path)} has an item twice")


def _explain_alternatives(error: Any, path: tuple[str | int, ...]) -> Iterator[Violation]:
    """Explains the errors of the alternative with the value's shape; if there is none, names the allowed shapes."""
    shape = kind(error.instance)
    wanted: list[str] = []
    for index, option in enumerate(error.validator_value):
        if is_for_editors(option):
            continue
        types = types_of(option)
        wanted += types
        if shape in map(kind_of_type, types):
            before = path[: len(path) - len(error.absolute_path)]
            yield from (
                one
                for part in error.context
                if part.relative_schema_path[0] == index
                for one in explain_error(part, before)
            )
            return
    yield _type_violation(error.instance, wanted, path)


_EXPLAINERS: dict[str, Callable[[Any, tuple[str | int, ...]], Iterator[Violation]]] = {
    "additionalProperties": _explain_unknown_keys,
    "required": _explain_missing_key,
    "type": _explain_type,
    "enum": _explain_enum,
    "const": _explain_constant,
    "pattern": _explain_pattern,
    "minimum": _explain_bound,
    "maximum": _explain_bound,
    "minLength": _explain_length,
    "maxLength": _explain_length,
    "minItems": _explain_length,
    "maxItems": _explain_length,
    "minProperties": _explain_length,
    "maxProperties": _explain_length,
    "uniqueItems": _explain_repeated_item,
    "anyOf": _explain_alternatives,
}
