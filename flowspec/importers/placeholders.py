"""Placeholders: the places of a request that variables of the spec fill, and the variables themselves.

A source (a shell script, a template) leaves some values open. In the request that is read from it, such a
value is a placeholder: the variable's name between two characters of Unicode's private use area, alone or
within a text. A placeholder that is the whole value has the variable's type, as `"{{ name }}"` has in a spec.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flowspec.document.rendering.patterns import PatternError, PatternWork, compile_pattern
from flowspec.document.rendering.variables import is_name
from flowspec.facts.api_model import input_shape

MARKS = re.compile("[\ue0f5\ue0f6]")
PLACEHOLDER = re.compile("\ue0f5(\\w+)\ue0f6")
# Values for variables without a default, so that the spec can be compiled and compared with the request.
_SAMPLES: Mapping[str, Any] = {
    "string": "sample",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "list": ["sample"],
    "mapping": {},
}
# Candidates for a text that has to match a pattern; the first that does is the sample.
_TEXTS = (
    "sample",
    "Sample-1",
    "a",
    "A",
    "1",
    "10",
    "sampletext",
    "s3://sample/sample",
    "emr-7.5.0",
    "m5.xlarge",
    "Passw0rd",
)
# Samples for members whose form a rule of the spec checks.
_SAMPLES_AT = {
    "LogUri": "s3://sample/logs/",
    "ReleaseLabel": "emr-7.5.0",
    "AmiVersion": "3.11.0",
    "InstanceType": "m5.xlarge",
    "MasterInstanceType": "m5.xlarge",
    "SlaveInstanceType": "m5.xlarge",
    "BidPrice": "0.10",
    "Ec2SubnetId": "subnet-0123456789abcdef0",
    "Path": "s3://sample/sample",
    "Jar": "s3://sample/sample.jar",
}
# The same for numbers: the least that EMR takes.
_NUMBERS_AT = {"IdleTimeout": 60}


@dataclass(frozen=True)
class Variable:
    """A variable to declare. `rules` are its other keys, such as enum; `default` None: a value must be given.

    A default may contain placeholders of variables that were declared before it. `template` is a default that is a
    template of the spec, such as `{{ ds }}`.
    """

    type: str = "string"
    default: Any = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""

    @property
    def declared(self) -> dict[str, Any]:
        """The declaration as a spec has it."""
        return {"type": self.type, **({} if self.default is None else {"default": self.default}), **self.rules}


@dataclass(frozen=True)
class Wanted:
    """The content of a source: a request with placeholders, their variables, region and profile ("" for none).

    `backend`, `target` and `flow` are those of a cluster that was read; the flow may have another name than it.
    `notes` are sentences on what the source has and no request can express. `uploads` are the S3 objects that the
    source makes of local files, with the files' paths. `settings` are keys of the spec that no request has, and
    `policies` those of its steps, by their index.
    """

    params: dict[str, Any]
    variables: Mapping[str, Variable] = field(default_factory=dict)
    region: str = ""
    notes: tuple[str, ...] = ()
    profile: str = ""
    backend: str = ""
    target: str = ""
    flow: str = ""
    uploads: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    policies: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any]:
        """The request with the default of each variable, or a sample where it has none."""
        samples, values = self.samples, dict[str, Any]()
        for name, one in self.variables.items():
            values[name] = samples.get(name, substitute(one.default, values))
        out: dict[str, Any] = substitute(self.params, values, input_shape())
        return out

    @property
    def samples(self) -> dict[str, Any]:
        """A value for each variable that has no default."""
        places = {name: member for name, member, _ in placeholder_uses(self.params)}
        return {name: _sample(one, places.get(name, "")) for name, one in self.variables.items() if one.default is None}


def placeholder(name: str) -> str:
    """Returns the placeholder of a variable."""
    return f"\ue0f5{name}\ue0f6"


def placeholder_name(value: Any) -> str | None:
    """Returns the variable whose placeholder is the whole value; None for any other value."""
    match = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def placeholders_in(value: Any) -> set[str]:
    """Returns the variables whose placeholders are anywhere in a JSON value, its keys included."""
    return set(PLACEHOLDER.findall(json.dumps(value, ensure_ascii=False)))


def safe_name(name: str) -> str:
    """Turns a text into a valid name of a variable, with as little change as possible."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return name if is_name(name) else f"var_{name}" if name else "value"


def substitute(value: Any, values: Mapping[str, Any], shape: Any = None) -> Any:
    """Replaces the placeholders of the variables in `values`; those of other variables are left.

    Where botocore's `shape` is a string, a number or truth value is written as text.
    """
    if isinstance(value, dict):
        return {
            _fill_text(key, values): substitute(item, values, part_shape(shape, key)) for key, item in value.items()
        }
    if isinstance(value, list):
        return [substitute(item, values, part_shape(shape)) for item in value]
    if not isinstance(value, str):
        return value
    name = placeholder_name(value)
    if name is None or name not in values:
        return _fill_text(value, values)
    is_text = getattr(shape, "type_name", "") == "string" and isinstance(values[name], int | float)
    return text_of(values[name]) if is_text else values[name]


def _fill_text(text: str, values: Mapping[str, Any]) -> str:
    return PLACEHOLDER.sub(lambda found: text_of(values.get(found[1], found[0])), text)


def map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    """Returns a JSON value with each of its texts changed, but for the keys; a key that is no text becomes one."""
    if isinstance(value, dict):
        return {str(key): map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def replace_texts(value: Any, names: Mapping[str, str]) -> Any:
    """Returns a JSON value with texts replaced that are keys of `names`."""
    return map_texts(value, lambda text: names.get(text, text))


def part_shape(shape: Any, member: str | None = None) -> Any:
    """Returns botocore's shape of a member, of a value of a map or, without a name, of an item; None if not known."""
    if member is None:
        return getattr(shape, "member", None)
    return getattr(shape, "members", {}).get(member, getattr(shape, "value", None))


def placeholder_uses(value: Any, shape: Any = None, member: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yields the placeholders in a request: variable, nearest member, and the value's shape (None: part of a text)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ((name, member, None) for name in PLACEHOLDER.findall(key))
            yield from placeholder_uses(item, part_shape(shape, key), key)
    elif isinstance(value, list):
        for item in value:
            yield from placeholder_uses(item, part_shape(shape), member)
    elif isinstance(value, str):
        whole = placeholder_name(value)
        for name in PLACEHOLDER.findall(value):
            yield name, member if whole else "", shape if whole else None


def drop_unprovable_rules(variable: Variable, work: PatternWork) -> Variable:
    """Moves a pattern that no known sample matches to the description, and drops an enum without the default.

    With either, the spec could not be compiled to compare it with the request.
    """
    allowed = variable.rules.get("enum")
    if allowed is not None and variable.default is not None and variable.default not in allowed:
        variable = replace(variable, rules={key: rule for key, rule in variable.rules.items() if key != "enum"})
    pattern = variable.rules.get("pattern")
    texts = _TEXTS if variable.default is None else (variable.default,)
    if pattern is None or _sample_of(pattern, texts, work) is not None:
        return variable
    rules = {key: rule for key, rule in variable.rules.items() if key != "pattern"}
    described = f"{rules.get('description', '')} (pattern: {pattern})".strip()
    return replace(variable, rules={**rules, "description": described})


def _sample_of(pattern: str, texts: Sequence[Any], work: PatternWork) -> str | None:
    """Returns the first of the texts that a pattern is found in.

    None when there is none, or the pattern can't be used.
    """
    try:
        compiled = compile_pattern(pattern, work)
        return next((text for text in map(str, texts) if compiled.search(text)), None)
    except PatternError:
        return None


def _sample(variable: Variable, member: str) -> Any:
    allowed = variable.rules.get("enum")
    if allowed:
        return allowed[0]
    if "pattern" in variable.rules:
        return _sample_of(variable.rules["pattern"], _TEXTS, PatternWork())
    if variable.type == "string":
        return _SAMPLES_AT.get(member, _SAMPLES["string"])
    return variable.rules.get("minimum", _NUMBERS_AT.get(member, _SAMPLES[variable.type]))


def text_of(value: Any) -> str:
    """Returns a value within a text, as a template renders it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
