"""CloudFormation's functions, carried out as far as a template alone tells what comes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flowspec.importers.decompile.placeholders import PLACEHOLDER, Variable, placeholder_name, substitute
from flowspec.importers.names import Names

ABSENT: Any = object()
"""The value of AWS::NoValue: what has it is not there."""

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


class Functions:
    """Carries out the functions of one template; `names` are the variables it takes, `notes` what was decided."""

    def __init__(self, template: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        self.parameters = _mapping(template.get("Parameters"))
        self.mappings = _mapping(template.get("Mappings"))
        self.conditions = _mapping(template.get("Conditions"))
        self.resources = resources
        self.names = Names()
        self.notes: list[str] = []
        self._open: set[str] = set()

    def value(self, value: Any) -> Any:
        """A value with its functions carried out; `ABSENT` for AWS::NoValue."""
        if isinstance(value, dict):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self._call(name, argument)
            return self._without_absent(value)
        if isinstance(value, list):
            return [one for item in value if (one := self.value(item)) is not ABSENT]
        return self._dynamic(value) if isinstance(value, str) else value

    def _without_absent(self, value: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: self.value(item) for key, item in value.items()}
        return {key: item for key, item in made.items() if item is not ABSENT and item is not None}

    def _call(self, name: str, argument: Any) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            return self.unknown(name, argument)
        try:
            return function(self, argument)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            return self.unknown(name, argument)

    def unknown(self, name: str, argument: Any, default: str | None = None) -> str:
        """A variable for what a function gives that can't be told from here."""
        called = re.sub(r"\W+", "_", argument if isinstance(argument, str) else name.removeprefix("Fn::"))
        return self.names.stand_in(f"{name} {_shown(argument)}", called[-40:].strip("_"), default)

    def _dynamic(self, text: str) -> str:
        """A text in which references to parameter stores are variables."""

        def replaced(found: re.Match[str]) -> str:
            secret: dict[str, Any] = {"sensitive": True} if found["service"] in _SECRETS else {}
            # Not the reference as it stands: the description of a variable would be a template.
            return self.names.stand_in(f"resolve:{found['service']}:{found['key']}", found["key"], **secret)

        return _DYNAMIC.sub(replaced, text)

    # --- references ---

    def ref(self, name: Any) -> Any:
        """Ref: a parameter, a pseudo parameter, or a resource."""
        if name == "AWS::NoValue":
            return ABSENT
        if name in _PSEUDO:
            called, default = _PSEUDO[name]
            return self.names.stand_in(name, called, default)
        if name in self.parameters:
            return self.names.open(f"Ref {name}", name, _variable(_mapping(self.parameters[name])))
        resource = _mapping(self.resources.get(name))
        return self.names.stand_in(f"Ref {name}, {resource.get('Type', 'which is not in the template')}", str(name))

    def get_att(self, argument: Any) -> str:
        """Fn::GetAtt."""
        path = argument.split(".", 1) if isinstance(argument, str) else argument
        resource, attribute = path
        kind = _mapping(self.resources.get(resource)).get("Type", "which is not in the template")
        shown = attribute if isinstance(attribute, str) else _shown(attribute)
        return self.names.stand_in(f"{shown} of {resource}, {kind}", f"{resource}_{shown}")

    def sub(self, argument: Any) -> Any:
        """Fn::Sub, with or without values of its own."""
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.value(value) for name, value in own.items()}

        def replaced(found: re.Match[str]) -> str:
            name = found["name"].strip()
            if found["literal"]:
                return f"${{{name}}}"
            value = values[name] if name in values else self.get_att(name) if "." in name else self.ref(name)
            return self.text(value)

        return self._dynamic(_IN_SUB.sub(replaced, text))

    def text(self, value: Any) -> str:
        """A value within a text. Raises `TypeError` for one that is no text."""
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise TypeError
        name = placeholder_name(value)
        if name and self.names.variables[name].type == "list":
            raise TypeError
        return str(value)

    # --- lists ---

    def join(self, argument: Any) -> Any:
        """Fn::Join."""
        delimiter, items = argument
        found = self.value(items)
        if not isinstance(found, list):
            raise TypeError
        return delimiter.join(map(self.text, found))

    def select(self, argument: Any) -> Any:
        """Fn::Select."""
        index, items = self.value(argument[0]), self.value(argument[1])
        if not isinstance(items, list):
            raise TypeError
        return items[int(index)]

    def split(self, argument: Any) -> Any:
        """Fn::Split."""
        text = self.value(argument[1])
        if PLACEHOLDER.search(text):
            raise ValueError
        return text.split(argument[0])

    def find_in_map(self, argument: Any) -> Any:
        """Fn::FindInMap; where a parameter is the key, a variable whose default is what its default finds."""
        keys = [self.value(one) for one in argument[:3]]
        found: Any = self.mappings
        for key in (self._by_default(one) for one in keys):
            found = found[key]
        if not any(PLACEHOLDER.search(str(key)) for key in keys):
            return found
        return self.unknown("Fn::FindInMap", argument, found if isinstance(found, str) else None)

    def _by_default(self, value: Any) -> str:
        defaults = {name: one.default for name, one in self.names.variables.items() if one.default is not None}
        made = str(substitute(value, defaults))
        if PLACEHOLDER.search(made):
            raise ValueError
        return made

    # --- conditions ---

    def if_(self, argument: Any) -> Any:
        """Fn::If, decided by the parameters' defaults."""
        name, yes, no = argument
        decided = self.decided(name)
        chosen = yes if decided is not False else no
        if decided is None:
            told = f"the condition {name} can't be decided here: taken as true"
        else:
            told = f"the condition {name} is {str(decided).lower()} by the parameters' defaults, and taken as that"
        if told not in self.notes:
            self.notes.append(told)
        return self.value(chosen)

    def decided(self, name: Any) -> bool | None:
        """Whether a condition holds by the parameters' defaults; None when that does not tell."""
        if not isinstance(name, str) or name not in self.conditions or name in self._open:
            return None
        self._open.add(name)
        try:
            return self._truth(self.conditions[name])
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            return None
        finally:
            self._open.discard(name)

    def _truth(self, condition: Any) -> bool | None:
        ((name, argument),) = condition.items()
        if name == "Condition":
            return self.decided(argument)
        if name == "Fn::Equals":
            one, other = (self._by_default(self.value(item)) for item in argument)
            return one == other
        truths = [self._truth(item) for item in argument]
        if name == "Fn::Not":
            return None if truths[0] is None else not truths[0]
        deciding: bool = name == "Fn::Or"
        if deciding in truths:
            return deciding
        return None if None in truths else not deciding


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _shown(argument: Any) -> str:
    text = argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False)
    return PLACEHOLDER.sub(r"\1", text)[:160]


def _variable(parameter: Mapping[str, Any]) -> Variable:
    """A parameter as a variable."""
    rules: dict[str, Any] = {}
    for key, word in (("Description", "description"), ("AllowedPattern", "pattern")):
        if isinstance(parameter.get(key), str):
            rules[word] = f"^(?:{parameter[key]})$" if word == "pattern" else parameter[key]
    for key, word in (("MinValue", "minimum"), ("MaxValue", "maximum")):
        if re.fullmatch(r"-?[0-9]+", str(parameter.get(key))):
            rules[word] = int(parameter[key])
    if parameter.get("NoEcho") in (True, "true", "True"):
        rules["sensitive"] = True
    default = parameter.get("Default")
    text = None if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    if str(parameter.get("Type", "")).startswith(_LISTS):
        items = None if text is None else [one.strip() for one in text.split(",")] if text else []
        return Variable("list", items, {key: rule for key, rule in rules.items() if key != "pattern"})
    if isinstance(parameter.get("AllowedValues"), list):
        rules["enum"] = [str(one).lower() if isinstance(one, bool) else str(one) for one in parameter["AllowedValues"]]
    return Variable("string", text, rules)


_FUNCTIONS: Mapping[str, Callable[[Functions, Any], Any]] = {
    "Ref": Functions.ref,
    "Fn::GetAtt": Functions.get_att,
    "Fn::Sub": Functions.sub,
    "Fn::Join": Functions.join,
    "Fn::Select": Functions.select,
    "Fn::Split": Functions.split,
    "Fn::FindInMap": Functions.find_in_map,
    "Fn::If": Functions.if_,
}
