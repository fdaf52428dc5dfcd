"""The modules of a configuration -> its resources with their values, as a plan would list them.

Local modules are evaluated with the values that their callers give them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.importers.placeholders import Variable, placeholder_name
from flowspec.importers.terraform.blocks import META, Repetition, Values, evaluate_block, index_of, repetitions
from flowspec.importers.terraform.configuration import (
    Module,
    default_of,
    installed_modules,
    load_module,
    module_files,
    type_of,
)
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.evaluate import Namespace, Scope, Symbol
from flowspec.importers.terraform.provider import Provider
from flowspec.importers.terraform.syntax import Body, Expr, Template
from flowspec.importers.terraform.values import Unknown, convert_to_type, to_text, type_name

_DEEPEST_MODULE = 20
# Resources whose id is one of their own arguments, by the provider's documentation.
_IDS = {
    "aws_s3_bucket": "bucket",
    "aws_iam_role": "name",
    "aws_iam_instance_profile": "name",
    "aws_key_pair": "key_name",
    "aws_emr_security_configuration": "name",
}


def without_indexes(address: str) -> str:
    """Returns an address without the indexes that `count` and `for_each` give."""
    return re.sub(r"\[[^][]*\]", "", address)


class Resource(NamedTuple):
    """An instance of a resource. `key` is its address without the index where it has only one instance."""

    kind: str
    key: str
    address: str
    values: Values
    body: Body | None = None
    provider: Provider | None = None


class _Local(NamedTuple):
    """A local value with the variables that it was computed from, and its size in elements."""

    value: Any
    used: frozenset[str]
    size: int


class Instance:
    """A module as one call makes it; the root module has no call."""

    def __init__(
        self, module: Module, context: Context, given: Mapping[str, Any], caller: _Caller | None = None
    ) -> None:
        self.module, self.context, self.given, self.caller = module, context, given, caller
        self.prefix = caller.prefix if caller else ""
        self._locals: dict[str, _Local] = {}
        self._variables: dict[str, Any] = {}
        self._children: dict[str, list[tuple[str, Instance]] | None] = {}
        self._open: set[str] = set()
        bound: dict[str, Any] = {
            "var": Namespace(self._variable),
            "local": Namespace(self._local),
            "module": Namespace(lambda name: _Outputs(self, name)),
            "data": Namespace(lambda kind: Namespace(lambda name: _Data(self, kind, name))),
            "path": Namespace(self._path),
            "terraform": Namespace(self._terraform),
        }
        for kind, _ in module.blocks["resource"]:
            bound[kind] = Namespace(lambda name, kind=kind: _Reference(self, kind, name))  # type: ignore[misc]
        self.scope = Scope(context, module.folder, bound, self.prefix)

    # --- names ---

    def _variable(self, name: str) -> Any:
        if name not in self._variables:
            if name in self._open:
                raise Unknown
            self._open.add(name)
            try:
                self._variables[name] = self._passed_variable(name) if self.caller else self._root_variable(name)
            finally:
                self._open.discard(name)
        value = self._variables[name]
        # A placeholder names its variable itself; other values do not.
        if not self.caller and not placeholder_name(value) and not isinstance(value, Symbol):
            self.context.used.add(f"var.{name}")
        return value

    def _passed_variable(self, name: str) -> Any:
        """Returns a variable of a called module."""
        assert self.caller is not None
        expr = self.caller.body.attributes.get(name)
        declared = self.module.blocks["variable"].get(name)
        value = None if expr is None else self.caller.scope.value(expr)
        if value is not None or declared is None:
            return _convert_if_possible(value, declared)
        try:
            return default_of(declared, self.scope)
        except Unknown:
            return Symbol(f"var.{name}", self.scope)

    def _root_variable(self, name: str) -> Any:
        declared = self.module.blocks["variable"].get(name)
        if declared is None:
            return self._declare_variable(name, Variable(rules={"description": f"in Terraform: var.{name}"}))
        if name in self.given:
            value = convert_to_type(self.given[name], type_of(declared))
        elif "default" in declared.attributes:
            value = default_of(declared, self.scope)
        else:
            return self._variable_without_value(name, declared)
        if value is None or isinstance(value, dict):
            return value
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            return value
        return self._declare_variable(name, _variable_of(declared, value), value)

    def _variable_without_value(self, name: str, declared: Body) -> Any:
        kind = type_name(type_of(declared))
        if kind in ("map", "object", "tuple"):
            return Symbol(f"var.{name}", self.scope)
        variable = Variable("list" if kind in ("list", "set") else "string", None, _variable_rules(declared))
        return self._declare_variable(name, variable)

    def _declare_variable(self, name: str, variable: Variable, value: Any = None) -> str:
        made = self.context.names.placeholder_for(f"var.{name}", name, variable)
        called = placeholder_name(made) or ""
        self.context.shown[called] = f"var.{name}"
        if value is not None:
            self.context.known[called] = value
        return made

    def _local(self, name: str) -> Any:
        if name not in self._locals:
            if f"local.{name}" in self._open:
                raise Unknown
            self._open.add(f"local.{name}")
            before, self.context.used = self.context.used, set()
            try:
                value = self.scope.value(self.module.local[name])
                self._locals[name] = _Local(value, frozenset(self.context.used), self._size(value))
            finally:
                self.context.used = before
                self._open.discard(f"local.{name}")
        found = self._locals[name]
        self.context.used |= found.used
        # Without this, ten locals that have each other three times are 59,049 elements for every use.
        self.context.spend(found.size)
        return found.value

    def _size(self, value: Any) -> int:
        self.context.spend()
        if isinstance(value, str):
            return 1 + len(value) // 64
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + sum(map(self._size, inner))

    def _path(self, name: str) -> str:
        if name == "root":
            return "."
        if name != "module":
            raise Unknown
        return self.caller.path if self.caller else "."

    def _terraform(self, name: str) -> Any:
        if name != "workspace":
            raise Unknown
        # The workspace that Terraform begins with.
        made = self.context.stand_in("terraform.workspace", "", "default")
        self.context.known.setdefault(placeholder_name(made) or "", "default")
        self.context.shown.setdefault(placeholder_name(made) or "", "terraform.workspace")
        return made

    # --- called modules ---

    def children(self, name: str) -> list[tuple[str, Instance]] | None:
        """Returns the instances of a called module, each with its index; None where its files are not here."""
        if name not in self._children:
            self._children[name] = None
            self._children[name] = self._load_called_module(name)
        return self._children[name]

    def _load_called_module(self, name: str) -> list[tuple[str, Instance]] | None:
        body = self.module.blocks["module"][name]
        where = self._folder_of(name, body)
        if where is None or self.prefix.count("module.") >= _DEEPEST_MODULE:
            return None
        path, folder = where
        shown = "" if path == "." else f"{path}/"
        module = load_module(folder, shown, self.context.note)
        self.context.folders = (*self.context.folders, folder.resolve())
        made = []
        for repetition in repetitions(body, self.scope, f"module.{name}"):
            caller = _Caller(
                body,
                self.scope.binding(**repetition.bound),
                f"{self.prefix}module.{name}{repetition.suffix}.",
                path,
                self,
            )
            made.append((repetition.suffix, Instance(module, self.context, {}, caller)))
        return made

    def _folder_of(self, name: str, body: Body) -> tuple[str, Path] | None:
        """Returns the folder of a called module: its path as Terraform writes it, and the folder itself."""
        try:
            source = self.scope.known(body.attributes["source"])
        except (KeyError, Unknown):
            return None
        base = self.caller.path if self.caller else "."
        if isinstance(source, str) and source.startswith(("./", "../")):
            folder = self.module.folder / source
            path = f"{base}/{source}".removeprefix("./") if base == "." else f"{base}/{source}"
        else:
            calls = without_indexes(f"{self.prefix}module.{name}").replace("module.", "")
            root = self.context.folders[0]
            folder = installed_modules(root).get(calls, root / "nowhere")
            path = str(folder)
        return (re.sub(r"(^|/)\./", r"\1", path), folder) if folder.is_dir() and module_files(folder) else None

    def provider(self, alias: str = "") -> Provider:
        """Returns the configuration of the AWS provider with an alias, as the root module has it."""
        if self.caller:
            return self.caller.provider(alias)
        return Provider(self.module.blocks["provider"].get(("aws", alias)), self.scope)

    # --- resources ---

    def resources(self, kinds: tuple[str, ...], parts: tuple[str, ...]) -> Iterator[Resource]:
        """Yields the instances of resources of these kinds; those of `parts` only where their number is known."""
        for (kind, name), body in self.module.blocks["resource"].items():
            if kind in kinds or kind in parts:
                yield from self._instances(kind, name, body, assume=kind in kinds)
        for name, body in self.module.blocks["module"].items():
            found = self.children(name)
            if found is None:
                source = body.attributes["source"].text if "source" in body.attributes else ""
                why = f"its source {source} is not on this machine; `terraform init` fetches it"
                self.context.note(f"{body.place()}: module.{name} is not imported: {why}")
            for _, child in found or ():
                yield from child.resources(kinds, parts)

    def _instances(self, kind: str, name: str, body: Body, *, assume: bool) -> Iterator[Resource]:
        key = f"{self.prefix}{kind}.{name}"
        found = repetitions(body, self.scope, key, assume=assume)
        for repetition in found:
            scope = self.scope.binding(**repetition.bound)
            provider = self.provider(_alias(body.attributes.get("provider")))
            values = evaluate_block(body, scope, "")
            yield Resource(kind, key, f"{key}{repetition.suffix}", values, body, provider)


class _Caller(NamedTuple):
    """The call of a module: its block, the scope that its arguments are in, and its address and path."""

    body: Body
    scope: Scope
    prefix: str
    path: str
    instance: Instance

    def provider(self, alias: str) -> Provider:
        """Returns the provider that the caller hands on under this alias."""
        providers = self.body.attributes.get("providers")
        for key, value in getattr(providers, "pairs", ()):
            if key.text in (f"aws.{alias}", "aws" if not alias else ""):
                return self.instance.provider(_alias(value))
        return self.instance.provider()


def _alias(expr: Expr | None) -> str:
    """Returns the alias in `provider = aws.west`, which is a text in the JSON syntax."""
    text = expr.text if expr else ""
    return text.strip('"').partition(".")[2]


def _convert_if_possible(value: Any, declared: Body | None) -> Any:
    try:
        return convert_to_type(value, type_of(declared)) if declared else value
    except (Unknown, ValueError):
        return value


def _variable_rules(declared: Body) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    description = declared.attributes.get("description")
    if isinstance(description, Template) and "${" not in description.raw:
        rules["description"] = " ".join(description.raw.split())
    sensitive = declared.attributes.get("sensitive")
    if sensitive is not None and sensitive.text.lower() == "true":
        rules["sensitive"] = True
    return rules


def _variable_of(declared: Body, value: Any) -> Variable:
    rules = _variable_rules(declared)
    kind = "list" if isinstance(value, list) else "string"
    if rules.get("sensitive"):
        # The default of a secret would be in the spec for everyone to read.
        return Variable(kind, None, rules)
    return Variable(kind, list(value) if isinstance(value, list) else to_text(value), rules)


# --- references ---


class _Reference(Symbol):
    """A resource of this module, or one of its instances."""

    def __init__(self, owner: Instance, kind: str, name: str, repetition: Repetition | None = None) -> None:
        index = repetition.suffix if repetition else ""
        super().__init__(f"{kind}.{name}{index}", owner.scope)
        self.owner, self.kind, self.name, self.repetition = owner, kind, name, repetition
        self.body = owner.module.blocks["resource"].get((kind, name))

    def attribute(self, name: str) -> Any:
        body = self.body
        argument = _IDS.get(self.kind, "") if name == "id" else name
        unmade = Symbol(f"{self.text}.{name}", self.scope)
        if body is None or argument not in body.attributes or argument in META:
            return unmade
        mark = f"{self.text}.{argument}"
        if mark in self.owner._open or (self.repetition is None and body.attributes.keys() & {"count", "for_each"}):
            return unmade
        self.owner._open.add(mark)
        try:
            scope = self.scope.binding(**(self.repetition.bound if self.repetition else {}))
            value = scope.strict(body.attributes[argument])
        finally:
            self.owner._open.discard(mark)
        return unmade if value is None or isinstance(value, list | dict) else value

    def index(self, key: Any) -> Any:
        for one in self.items() if self.body else ():
            if one.repetition.suffix in (f"[{key}]", f'["{key}"]'):
                return one
        return super().index(key)

    def items(self) -> list[Any]:
        if self.body is None:
            raise Unknown
        found = repetitions(self.body, self.owner.scope, f"{self.owner.prefix}{self.kind}.{self.name}")
        return [_Reference(self.owner, self.kind, self.name, one) for one in found]

    def instances(self) -> dict[str, Any]:
        if self.body is None or "for_each" not in self.body.attributes:
            raise Unknown
        return {one.repetition.bound["each"].attribute("key"): one for one in self.items()}


class _Data(Symbol):
    """A data source."""

    def __init__(self, owner: Instance, kind: str, name: str) -> None:
        super().__init__(f"data.{kind}.{name}", owner.scope)
        self.owner, self.kind, self.body = owner, kind, owner.module.blocks["data"].get((kind, name))

    def attribute(self, name: str) -> Any:
        arguments = self.body.attributes if self.body else {}
        if self.kind == "template_file" and name == "rendered" and "template" in arguments:
            return self._render_template(arguments)
        if self.kind == "aws_region" and name in ("name", "id", "region"):
            region = self.owner.provider().setting("region")
            return region or super().attribute(name)
        return super().attribute(name)

    def _render_template(self, arguments: Mapping[str, Expr]) -> str:
        text = self.scope.strict(arguments["template"])
        values = self.scope.value(arguments["vars"]) if "vars" in arguments else {}
        if not isinstance(text, str) or not isinstance(values, dict):
            raise Unknown
        return self.scope.render(text, values)


class _Outputs(Symbol):
    """A called module, whose attributes are its outputs."""

    def __init__(self, owner: Instance, name: str, index: str = "") -> None:
        super().__init__(f"module.{name}{index}", owner.scope)
        self.owner, self.name, self.at = owner, name, index

    def attribute(self, name: str) -> Any:
        found = next((one for index, one in self._children or () if index == self.at), None)
        output = found.module.blocks["output"].get(name) if found else None
        if found is None or output is None or "value" not in output.attributes:
            return super().attribute(name)
        return found.scope.raw(output.attributes["value"])

    def index(self, key: Any) -> Any:
        return _Outputs(self.owner, self.name, index_of(key))

    def items(self) -> list[Any]:
        if self._children is None:
            raise Unknown
        return [_Outputs(self.owner, self.name, index) for index, _ in self._children]

    @property
    def _children(self) -> list[tuple[str, Instance]] | None:
        return self.owner.children(self.name) if self.name in self.owner.module.blocks["module"] else None
