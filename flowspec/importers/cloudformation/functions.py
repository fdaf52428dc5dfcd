"""Evaluates CloudFormation's functions as far as the template alone determines their results.

A parameter is a placeholder that keeps its name. Where a function has to know the value (Fn::Select, Fn::FindInMap,
a condition), the result becomes a variable whose default is computed from the parameters' values.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flowspec.importers.names import Names
from flowspec.importers.placeholders import (
    PLACEHOLDER,
    Variable,
    placeholder_name,
    placeholders_in,
    substitute,
    text_of,
)

ABSENT: Any = object()
"""The value of AWS::NoValue: a property with it is left out."""

_PSEUDO = {
    "AWS::Partition": ("aws_partition", "aws"),
    "AWS::URLSuffix": ("aws_url_suffix", "amazonaws.com"),
    "AWS::Region": ("aws_region", None),
    "AWS::AccountId": ("aws_account_id", None),
    "AWS::StackName": ("stack_name", None),
    "AWS::StackId": ("stack_id", None),
    "AWS::NotificationARNs": ("notification_arns", None),
}
_DYNAMIC = re.compile(r"\{\{resolve:(?P<service>[a-z-]+):(?P<key>[^}]+)\}\}")
_SECRETS = ("secretsmanager", "ssm-secure")
_IN_SUB = re.compile(r"\$\{(?P<literal>!?)(?P<name>[^}]+)\}")
_LISTS = ("CommaDelimitedList", "List<")
_SSM = "AWS::SSM::Parameter::Value<"
# The quota of AWS CloudFormation for the value of a parameter, in bytes.
_LONGEST_PARAMETER = 4096
# The exceptions that a function raises for arguments that it does not take, or that hold a placeholder.
_FAULTS = (AttributeError, KeyError, IndexError, TypeError, ValueError)


class Functions:
    """Evaluates the functions of one template.

    `names` are the variables that were opened, `notes` what was decided. `given` are values of parameters; in a nested
    stack they are expressions of the `outer` one. `outputs` finds an output of a nested stack.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        resources: dict[str, Any],
        given: Mapping[str, Any] | None = None,
        outer: Functions | None = None,
        prefix: str = "",
    ) -> None:
        self.parameters = _mapping(template.get("Parameters"))
        self.mappings = _mapping(template.get("Mappings"))
        self.conditions = _mapping(template.get("Conditions"))
        self.resources = resources
        self.given = given or {}
        self.outer, self.prefix = outer, prefix
        self.names: Names = outer.names if outer else Names()
        self.notes: list[str] = outer.notes if outer else []
        self.outputs: Callable[[str, str], Any] = lambda _stack, _name: None
        self._open: set[str] = set()
        self._values: dict[str, Any] = {}
        self._decided: dict[str, bool | None] = {}

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def value(self, value: Any) -> Any:
        """Returns a value with its functions evaluated; `ABSENT` for AWS::NoValue."""
        if isinstance(value, dict):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self._call(name, argument)
            made = {key: self.value(item) for key, item in value.items()}
            return {key: item for key, item in made.items() if item is not ABSENT}
        if isinstance(value, list):
            return [one for item in value if (one := self.value(item)) is not ABSENT]
        return self._replace_dynamic_references(value) if isinstance(value, str) else value

    def _call(self, name: str, argument: Any) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            return self._stand_in_for_result(name, argument)
        try:
            return function(self, argument)
        except _FAULTS:
            pass
        try:
            return self._stand_in_for_result(name, argument, _DefaultsEvaluator(self).value({name: argument}))
        except _FAULTS:
            return self._stand_in_for_result(name, argument)

    def _stand_in_for_result(self, name: str, argument: Any, default: Any = None) -> str:
        """Returns a variable for a function's result; `default` is the result for the parameters' defaults, if known.

        Raises `TypeError` for a default that is neither a text nor a list of texts.
        """
        called = re.sub(r"\W+", "_", _stem(name, argument))
        shown = f"{name} {shown_argument(argument)}"
        stem = called[-40:].strip("_")
        if isinstance(default, list) and all(isinstance(one, str) for one in default):
            return self.names.placeholder_for(shown, stem, Variable("list", default, {"description": shown[:200]}))
        return self.names.stand_in(shown, stem, None if default is None else _text(default))

    def _replace_dynamic_references(self, text: str) -> str:
        """Returns a text in which references to parameter stores are variables."""

        def replaced(found: re.Match[str]) -> str:
            secret: dict[str, Any] = {"sensitive": True} if found["service"] in _SECRETS else {}
            # Not the reference as it stands: the description of a variable would be a template.
            return self.names.stand_in(f"resolve:{found['service']}:{found['key']}", found["key"], **secret)

        return _DYNAMIC.sub(replaced, text)

    # --- references ---

    def ref(self, name: Any) -> Any:
        """Evaluates Ref: a parameter, a pseudo parameter, or a resource."""
        if name == "AWS::NoValue":
            return ABSENT
        if name in _PSEUDO:
            called, default = _PSEUDO[name]
            return self.names.stand_in(name, called, default)
        if name in self.parameters and self.outer and name in self.given:
            return self._passed_parameter(name)
        if name in self.parameters:
            parameter = _mapping(self.parameters[name])
            if name in self.given:
                parameter = {**parameter, "Default": self.given[name], "Type": _plain_type(parameter)}
            return self.names.placeholder_for(f"Ref {self.prefix}{name}", name, _variable(parameter))
        resource = _mapping(self.resources.get(name))
        kind = resource.get("Type", "which is not in the template")
        return self.names.stand_in(f"Ref {self.prefix}{name}, {kind}", str(name))

    def _passed_parameter(self, name: str) -> Any:
        """Returns a parameter that the outer stack gives: a list is given as a text with commas.

        Raises `ValueError` for one that CloudFormation does not take: of stacks within stacks it could fill the memory.
        """
        assert self.outer is not None
        if name not in self._values:
            self._values[name] = self.outer.value(self.given[name])
        if len(json.dumps(self._values[name], default=str)) > _LONGEST_PARAMETER:
            raise ValueError
        value, kind = self._values[name], _plain_type(_mapping(self.parameters[name]))
        if isinstance(value, str) and not placeholder_name(value) and kind.startswith(_LISTS):
            return [one.strip() for one in value.split(",")]
        return value

    def get_att(self, argument: Any) -> Any:
        """Evaluates Fn::GetAtt."""
        path = argument.split(".", 1) if isinstance(argument, str) else argument
        resource, attribute = path
        if isinstance(attribute, str) and attribute.startswith("Outputs."):
            found = self.outputs(resource, attribute.removeprefix("Outputs."))
            if found is not None:
                return found
        kind = _mapping(self.resources.get(resource)).get("Type", "which is not in the template")
        if kind == "AWS::EMR::Cluster" and attribute == "Id":
            return self.ref(resource)
        shown = attribute if isinstance(attribute, str) else shown_argument(attribute)
        return self.names.stand_in(f"{shown} of {self.prefix}{resource}, {kind}", f"{resource}_{shown}")

    def sub(self, argument: Any) -> Any:
        """Evaluates Fn::Sub, with or without values of its own."""
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.value(value) for name, value in own.items()}

        def replaced(found: re.Match[str]) -> str:
            name = found["name"].strip()
            if found["literal"]:
                return f"${{{name}}}"
            value = values[name] if name in values else self.get_att(name) if "." in name else self.ref(name)
            return self.text(value)

        return self._replace_dynamic_references(_IN_SUB.sub(replaced, text))

    def text(self, value: Any) -> str:
        """Returns a value within a text. Raises `TypeError` for one that is no text."""
        name = placeholder_name(value)
        if name and self.names.variables[name].type == "list":
            raise TypeError
        return _text(value)

    # --- lists ---

    def _list(self, argument: Any) -> list[Any]:
        """Returns a value that has to be a list. Raises `TypeError`."""
        items = self.value(argument)
        if not isinstance(items, list):
            raise TypeError
        return items

    def join(self, argument: Any) -> Any:
        """Evaluates Fn::Join."""
        delimiter, items = argument
        return delimiter.join(map(self.text, self._list(items)))

    def select(self, argument: Any) -> Any:
        """Evaluates Fn::Select."""
        index, items = self.value(argument[0]), self._list(argument[1])
        if int(index) < 0:
            raise IndexError
        return items[int(index)]

    def split(self, argument: Any) -> Any:
        """Evaluates Fn::Split."""
        text = self.value(argument[1])
        if PLACEHOLDER.search(text):
            raise ValueError
        return text.split(argument[0])

    def find_in_map(self, argument: Any) -> Any:
        """Evaluates Fn::FindInMap.

        Raises `ValueError` where a parameter is among the keys: the result depends on its value.
        """
        keys = [self.value(one) for one in argument[:3]]
        if placeholders_in(keys):
            raise ValueError
        found: Any = self.mappings
        try:
            for key in map(_text, keys):
                found = found[key]
        except KeyError:
            more = _mapping(argument[3]) if len(argument) > 3 else {}
            return self.value(more["DefaultValue"])
        return found

    def length(self, argument: Any) -> int:
        """Evaluates Fn::Length."""
        return len(self._list(argument))

    def to_json(self, argument: Any) -> str:
        """Evaluates Fn::ToJsonString.

        Raises `ValueError` where a parameter is a list, or JSON has to escape what it holds.
        """
        made = self.value(argument)
        text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        for name in PLACEHOLDER.findall(text):
            one = self.names.variables[name]
            if one.type == "list" or json.dumps(one.default or "") != f'"{one.default or ""}"':
                raise ValueError
        return text

    def base64(self, argument: Any) -> str:
        """Evaluates Fn::Base64."""
        text = self.value(argument)
        if PLACEHOLDER.search(text):
            raise ValueError
        return base64.b64encode(text.encode()).decode()

    def fill_defaults(self, value: Any) -> Any:
        """Returns a value in which variables have their defaults.

        Raises `ValueError` where one has none, or is secret.
        """
        defaults = {
            name: one.default
            for name, one in self.names.variables.items()
            if one.default is not None and not one.rules.get("sensitive")
        }
        made = substitute(value, defaults)
        if placeholders_in(made):
            raise ValueError
        return made

    # --- conditions ---

    def if_(self, argument: Any) -> Any:
        """Evaluates Fn::If by the parameters' values.

        Where they do not decide, it is a variable, or nothing and a note.
        """
        name, yes, no = argument
        decided = self.evaluate_condition(name)
        if decided is not None:
            self.note(
                f"the condition {name} is {str(decided).lower()} by the parameters' values, and imported accordingly"
            )
            return self.value(yes if decided else no)
        if self._is_scalar(yes) and self._is_scalar(no):
            return self.names.stand_in(f"Fn::If {name}: {shown_argument(yes)} or {shown_argument(no)}", f"if_{name}")
        shown = f"{shown_argument(yes)[:80]} or {shown_argument(no)[:80]}"
        self.note(f"the condition {name} can't be decided here: what depends on it is not imported ({shown})")
        return ABSENT

    def _is_scalar(self, value: Any) -> bool:
        if isinstance(value, dict) and len(value) == 1 and value != {"Ref": "AWS::NoValue"}:
            return next(iter(value)) in ("Ref", "Fn::If", "Fn::Sub", "Fn::GetAtt")
        return isinstance(value, str | int | float)

    def evaluate_condition(self, name: Any) -> bool | None:
        """Evaluates a condition with the parameters' values; None where they do not decide it."""
        if not isinstance(name, str) or name not in self.conditions or name in self._open:
            return None
        if name not in self._decided:
            self._open.add(name)
            self._decided[name] = self._truth(self.conditions[name])
            self._open.discard(name)
        return self._decided[name]

    def _truth(self, condition: Any) -> bool | None:
        try:
            return self._evaluate(condition)
        except _FAULTS:
            return None

    def _evaluate(self, condition: Any) -> bool | None:
        ((name, argument),) = condition.items()
        if name == "Condition":
            return self.evaluate_condition(argument)
        if name == "Fn::Equals":
            one, other = (_text(self.fill_defaults(self.value(item))) for item in argument)
            return one == other
        truths = [self._truth(item) for item in argument]
        if name == "Fn::Not":
            return None if truths[0] is None else not truths[0]
        deciding: bool = name == "Fn::Or"
        if deciding in truths:
            return deciding
        return None if None in truths else not deciding


class _DefaultsEvaluator(Functions):
    """Evaluates the functions of a template with the values that its parameters have."""

    def __init__(self, functions: Functions) -> None:
        self.__dict__ |= functions.__dict__

    def value(self, value: Any) -> Any:
        """Returns a value without placeholders. Raises one of `_FAULTS`."""
        made = super().value(value)
        return made if made is ABSENT else self.fill_defaults(made)

    def _call(self, name: str, argument: Any) -> Any:
        return _FUNCTIONS[name](self, argument)


def _stem(name: str, argument: Any) -> str:
    """Returns the text that the variable for a function's result is named after."""
    if name == "Fn::FindInMap" and isinstance(argument, list) and len(argument) > 2:
        words = [one for one in (argument[0], argument[2]) if isinstance(one, str)]
        return "_".join(words) or "FindInMap"
    return argument if isinstance(argument, str) else name.removeprefix("Fn::")


def _text(value: Any) -> str:
    """Returns a value as the text that CloudFormation has for it. Raises `TypeError`."""
    if not isinstance(value, str | int | float):
        raise TypeError
    return text_of(value)


def _plain_type(parameter: Mapping[str, Any]) -> str:
    """Returns the type of what a parameter holds; the value of one from the parameter store has been looked up."""
    kind = str(parameter.get("Type", "String"))
    return kind.removeprefix(_SSM).removesuffix(">") if kind.startswith(_SSM) else kind


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def shown_argument(argument: Any) -> str:
    """Returns an argument of a function as notes and descriptions show it."""
    text = argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False)
    return PLACEHOLDER.sub(r"\1", text)[:160]


def _variable(parameter: Mapping[str, Any]) -> Variable:
    """Returns a parameter as a variable."""
    rules: dict[str, Any] = {}
    for key, word in (("Description", "description"), ("AllowedPattern", "pattern")):
        if isinstance(parameter.get(key), str):
            rules[word] = f"^(?:{parameter[key]})$" if word == "pattern" else parameter[key]
    for key, word in (("MinValue", "minimum"), ("MaxValue", "maximum")):
        if re.fullmatch(r"-?[0-9]+", str(parameter.get(key))):
            rules[word] = int(parameter[key])
    if parameter.get("NoEcho") in (True, "true", "True"):
        rules["sensitive"] = True
    kind, default = str(parameter.get("Type", "")), parameter.get("Default")
    if kind.startswith(_SSM):
        # The default is the parameter's path in the store, not its value.
        described = (
            f"{rules.get('description', '')} (SSM parameter {default})" if default else rules.get("description", "")
        )
        rules = {"description": " ".join(str(described).split())[:200]} if described else {}
        return Variable("list" if _plain_type(parameter).startswith(_LISTS) else "string", None, rules)
    text = None if default is None else _text(default)
    if kind.startswith(_LISTS):
        items = None if text is None else [one.strip() for one in text.split(",")] if text else []
        return Variable("list", items, {key: rule for key, rule in rules.items() if key != "pattern"})
    # The default of a secret would be in the spec for everyone to read.
    text = None if rules.get("sensitive") else text
    if isinstance(parameter.get("AllowedValues"), list):
        rules["enum"] = list(map(_text, parameter["AllowedValues"]))
    return Variable("string", text, rules)


_FUNCTIONS: Mapping[str, Callable[[Functions, Any], Any]] = {
    "Ref": Functions.ref,
    "Fn::GetAtt": Functions.get_att,
    "Fn::Sub": Functions.sub,
    "Fn::Join": Functions.join,
    "Fn::Select": Functions.select,
    "Fn::Split": Functions.split,
    "Fn::FindInMap": Functions.find_in_map,
    "Fn::Length": Functions.length,
    "Fn::ToJsonString": Functions.to_json,
    "Fn::Base64": Functions.base64,
    "Fn::If": Functions.if_,
}
