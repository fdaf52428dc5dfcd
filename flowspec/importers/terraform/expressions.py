"""Terraform's templates and expressions, worked out as far as a module alone tells what comes of them.

Variables of the module are placeholders; locals and the plain functions are worked out; what a resource, a data
source or another module gives is a variable named after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flowspec.importers.decompile.placeholders import PLACEHOLDER, Variable, placeholder_name, substitute
from flowspec.importers.names import Names

_TOKEN = re.compile(
    r"\s+|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[A-Za-z_][\w-]*)|(?P<mark>==|!=|&&|\|\||=>|[][(){}.,:?=!<>*/%+-])"
)
_SIMPLE_NAMES = {"true": True, "false": False, "null": None}


class Unknown(Exception):
    """What an expression gives can't be told from here."""


class Scope:
    """What the names of a module stand for. `folder` is where `file()` looks, and nowhere above it."""

    def __init__(self, variables: Mapping[str, Any], local: Mapping[str, Any], folder: Path) -> None:
        self.variables, self.local, self.folder = variables, local, folder
        self.names = Names()
        self.notes: list[str] = []
        self._open: list[str] = []

    def value(self, value: Any) -> Any:
        """A value of the JSON form, with its templates worked out."""
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.template(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """A key, which is a template as well."""
        made = self.template(text)
        return made if isinstance(made, str) else str(made)

    def template(self, text: str) -> Any:
        """A template; one that is a single expression keeps that one's type."""
        parts = list(_parts(text))
        if len(parts) == 1 and parts[0][0]:
            return self.expression(parts[0][1])
        return "".join(self.as_text(self.expression(inner)) if is_code else inner for is_code, inner in parts)

    def expression(self, text: str) -> Any:
        """An expression; where it can't be worked out, a variable that stands for it."""
        try:
            return _Parser(text, self).whole()
        except (Unknown, TypeError, ValueError, KeyError, IndexError):
            shown = " ".join(text.split())
            return self.names.stand_in(f"in Terraform: {shown}".replace("{{", "{ {"), _stem(shown))

    def as_text(self, value: Any) -> str:
        """A value within a text. Raises `Unknown` for a collection."""
        if isinstance(value, bool):
            return str(value).lower()
        name = placeholder_name(value)
        if isinstance(value, dict | list) or value is None or (name and self.names.variables[name].type != "string"):
            raise Unknown
        return str(value)

    def reference(self, path: list[str]) -> Any:
        """A dotted name."""
        if path[0] in _SIMPLE_NAMES and len(path) == 1:
            return _SIMPLE_NAMES[path[0]]
        if path[0] == "local" and len(path) > 1 and path[1] in self.local:
            return _descended(self._local(path[1]), path[2:])
        if path[0] == "var" and len(path) > 1:
            return self._variable(path)
        if path[:2] == ["path", "module"] or path[:2] == ["path", "root"]:
            return "."
        shown = ".".join(path)
        return self.names.stand_in(f"in Terraform: {shown}", _stem(shown))

    def _local(self, name: str) -> Any:
        if name in self._open:
            raise Unknown
        self._open.append(name)
        try:
            return self.value(self.local[name])
        finally:
            self._open.pop()

    def _variable(self, path: list[str]) -> Any:
        name = path[1]
        declared = self.variables.get(name)
        if not isinstance(declared, dict):
            return self.names.open(f"var.{name}", name, Variable(rules={"description": f"in Terraform: var.{name}"}))
        default = declared.get("default")
        if len(path) > 2:
            return _descended(self.value(default), path[2:])
        if isinstance(default, dict) or (isinstance(default, list) and not _texts_only(default)):
            note = f"var.{name} is taken as its default says: it is more than a variable of a spec can be"
            self.notes += [] if note in self.notes else [note]
            return default
        return self.names.open(f"var.{name}", name, _declared(declared))

    def default(self, value: Any) -> Any:
        """A value in which variables have their defaults. Raises `Unknown` where one has none."""
        defaults = {name: one.default for name, one in self.names.variables.items() if one.default is not None}
        made = substitute(value, defaults)
        if PLACEHOLDER.search(json.dumps(made, ensure_ascii=False)):
            raise Unknown
        return made

    def file(self, name: str) -> str:
        """The text of a file below the module's folder. Raises `Unknown`."""
        folder = self.folder.resolve()
        path = (folder / name).resolve()
        try:
            if folder not in path.parents or not path.is_file() or path.stat().st_size > 10_000_000:
                raise Unknown
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise Unknown from None


def _texts_only(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


def _declared(declared: Mapping[str, Any]) -> Variable:
    rules = {}
    if isinstance(declared.get("description"), str):
        rules["description"] = declared["description"]
    if declared.get("sensitive") is True:
        rules["sensitive"] = True
    default = declared.get("default")
    if isinstance(default, list) or str(declared.get("type", "")).lstrip("${").startswith(("list", "set")):
        return Variable("list", default, rules)
    text = str(default).lower() if isinstance(default, bool) else None if default is None else str(default)
    return Variable("string", text, rules)


def _descended(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _stem(shown: str) -> str:
    """What a variable for an expression is called."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"^data\.", "", shown.removeprefix("module.")))
    return "_".join(words[-3:])[-60:] or "value"


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a template: whether each is an expression, and its text."""
    at = 0
    for match in re.finditer(r"\$\$\{|\$\{", text):
        if match.start() < at:
            continue
        if match.start() > at:
            yield False, text[at : match.start()]
        if match[0] == "$${":
            yield False, "${"
            at = match.end()
        else:
            end = _closing(text, match.end())
            yield True, text[match.end() : end]
            at = end + 1
    if at < len(text) or not text:
        yield False, text[at:]


def _closing(text: str, at: int) -> int:
    """Where the brace that opened before `at` is closed."""
    depth, quoted = 1, False
    while at < len(text):
        char = text[at]
        if char == "\\" and quoted:
            at += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char == "{") - (char == "}")
            if depth == 0:
                return at
        at += 1
    return at


class _Parser:
    """Works out one expression from left to right. Raises `Unknown` for what goes beyond."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.scope = scope
        self.tokens = list(_tokens(text))
        self.at = 0

    def whole(self) -> Any:
        value = self.conditional()
        if self.at < len(self.tokens):
            raise Unknown
        return value

    def conditional(self) -> Any:
        value = self.comparison()
        if not self._took("?"):
            return value
        yes = self.conditional()
        self._need(":")
        no = self.conditional()
        decided = self.scope.default(value)
        if decided not in (True, False, "true", "false"):
            raise Unknown
        self.scope.notes.append("a condition (? :) is decided by the defaults of Terraform's variables")
        return yes if decided in (True, "true") else no

    def comparison(self) -> Any:
        value = self.single()
        for mark, same in (("==", True), ("!=", False)):
            if self._took(mark):
                other = self.single()
                return (self.scope.default(value) == self.scope.default(other)) is same
        return value

    def single(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return self.scope.template(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if text == "[":
            return self._list("]")
        if text == "{":
            return self._object()
        if text == "(":
            value = self.conditional()
            self._need(")")
            return value
        if kind != "name":
            raise Unknown
        return self._call(text) if self._took("(") else self._path(text)

    def _list(self, closing: str) -> list[Any]:
        out = []
        while not self._took(closing):
            out.append(self.conditional())
            if not self._took(","):
                self._need(closing)
                break
        return out

    def _object(self) -> dict[str, Any]:
        out = {}
        while not self._took("}"):
            kind, text = self._next()
            key = self.scope.text(text) if kind == "text" else text
            if kind not in ("text", "name", "number") or not (self._took("=") or self._took(":")):
                raise Unknown
            out[key] = self.conditional()
            self._took(",")
        return out

    def _path(self, first: str) -> Any:
        path = [first]
        while True:
            if self._took("."):
                path.append(self._next()[1])
            elif self._took("["):
                kind, text = self._next()
                if kind not in ("number", "text"):
                    raise Unknown
                path.append(text)
                self._need("]")
            else:
                return self.scope.reference(path)

    def _call(self, name: str) -> Any:
        args = self._list(")")
        if name == "file":
            return self.scope.file(args[0])
        if name not in _FUNCTIONS:
            raise Unknown
        return _FUNCTIONS[name](self.scope, *args)

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Unknown
        self.at += 1
        return self.tokens[self.at - 1]

    def _took(self, mark: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("mark", mark):
            self.at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._took(mark):
            raise Unknown


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        if text[at] == '"':
            end = _string_end(text, at)
            yield "text", _unescaped(text[at + 1 : end])
            at = end + 1
            continue
        match = _TOKEN.match(text, at)
        if not match:
            raise Unknown
        if match.lastgroup:
            yield match.lastgroup, match[0]
        at = match.end()


def _string_end(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
        elif text.startswith("${", at):
            at = _closing(text, at + 2)
        at += 1
    return at


def _unescaped(text: str) -> str:
    from flowspec.importers.terraform.hcl import unquoted

    return unquoted(f'"{text}"')


# --- functions ---


def _format(scope: Scope, pattern: str, *args: Any) -> str:
    values = iter(args)

    def replaced(found: re.Match[str]) -> str:
        return "%" if found[0] == "%%" else scope.as_text(next(values))

    if re.search(r"%(?![sdv%])", pattern):
        raise Unknown
    return re.sub(r"%[sdv%]", replaced, pattern)


def _concat(_scope: Scope, *lists: Any) -> list[Any]:
    if not all(isinstance(one, list) for one in lists):
        raise Unknown
    return [item for one in lists for item in one]


def _merge(_scope: Scope, *objects: Any) -> dict[str, Any]:
    if not all(isinstance(one, dict) for one in objects):
        raise Unknown
    return {key: value for one in objects for key, value in one.items()}


def _join(scope: Scope, delimiter: str, *lists: Any) -> str:
    return delimiter.join(map(scope.as_text, _concat(scope, *lists)))


def _literal(text: Any) -> str:
    """A text without placeholders. Raises `Unknown`."""
    if not isinstance(text, str) or PLACEHOLDER.search(text):
        raise Unknown
    return text


def _coalesce(_scope: Scope, *values: Any) -> Any:
    return next(one for one in values if one not in (None, ""))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "jsonencode": lambda _scope, value: json.dumps(value, ensure_ascii=False),
    "jsondecode": lambda _scope, text: json.loads(_literal(text)),
    "format": _format,
    "join": _join,
    "concat": _concat,
    "merge": _merge,
    "coalesce": _coalesce,
    "tostring": lambda scope, value: scope.as_text(value),
    "tolist": lambda _scope, value: value,
    "toset": lambda _scope, value: value,
    "tomap": lambda _scope, value: value,
    "lower": lambda _scope, text: _literal(text).lower(),
    "upper": lambda _scope, text: _literal(text).upper(),
    "trimspace": lambda _scope, text: _literal(text).strip(),
    "split": lambda _scope, mark, text: _literal(text).split(mark),
    "replace": lambda _scope, text, old, new: _literal(text).replace(old, new),
    "compact": lambda _scope, items: [one for one in items if one not in (None, "")],
}
