"""The files of a Terraform configuration -> its modules: what each folder declares, with its overrides.

Terraform reads all `*.tf` and `*.tf.json` of a folder as one module; `override` and `*_override` files are merged
into the others. The root module's variables get values from terraform.tfvars, *.auto.tfvars, and what is given.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowspec.importers.terraform import hcl
from flowspec.importers.terraform.context import LARGEST_FILE, Context
from flowspec.importers.terraform.evaluate import Scope
from flowspec.importers.terraform.syntax import LABELS, Body, Expr, Literal, SyntaxFault
from flowspec.importers.terraform.values import Unknown, convert_to_type, type_name

Note = Callable[[str], None]

_ENDS = (".tf", ".tf.json")


@dataclass
class Module:
    """The declarations in the files of one folder.

    `blocks` are those of each kind, by their label or labels; providers by label and alias.
    """

    folder: Path
    local: dict[str, Expr] = field(default_factory=dict)
    blocks: dict[str, dict[Any, Body]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, body: Body, *, override: bool = False) -> None:
        """Adds the blocks of a file."""
        for block in body.blocks:
            if block.kind == "locals":
                self.local |= block.body.attributes
            elif len(block.labels) == LABELS.get(block.kind):
                key: Any = block.labels if len(block.labels) > 1 else block.labels[0]
                if block.kind == "provider":
                    alias = block.body.attributes.get("alias")
                    key = (key, alias.text.strip('"') if alias else "")
                known = self.blocks[block.kind]
                known[key] = _merged(known[key], block.body) if override and key in known else block.body


def _merged(base: Body, override: Body) -> Body:
    """Merges a block of an override file into the one that it overrides: arguments one by one, blocks by kind."""
    kinds = {one.made_kind for one in override.blocks if one.kind != "lifecycle"}
    kept = [one for one in base.blocks if one.made_kind not in kinds]
    # A block may also be written as an attribute, in the JSON syntax always.
    attributes = {key: value for key, value in base.attributes.items() if key not in kinds}
    replaced = [one for one in kept if one.made_kind not in override.attributes]
    return Body(base.file, base.line, {**attributes, **override.attributes}, [*replaced, *override.blocks])


# --- files ---


def module_files(folder: Path) -> list[Path]:
    """Returns the files of a folder that Terraform reads, those that override others last."""
    found = [path for path in folder.iterdir() if path.name.endswith(_ENDS) and not path.name.startswith(".")]
    return sorted((path for path in found if path.is_file()), key=lambda path: (_is_override(path.name), path.name))


def _is_override(name: str) -> bool:
    base = name.removesuffix(".json").removesuffix(".tf")
    return base == "override" or base.endswith("_override")


def load_module(folder: Path, shown: str, note: Note, known: Mapping[str, Body] = {}) -> Module:
    """Returns the module in a folder; `shown` is put before its files' names in notes.

    `known` are files that were read already. A file that can't be read is a note, and the rest is imported.
    """
    module = Module(folder)
    for path in module_files(folder):
        body = known.get(path.name) or _read(path, f"{shown}{path.name}", note)
        if body is not None:
            module.add(body, override=_is_override(path.name))
    return module


def _read(path: Path, shown: str, note: Note) -> Body | None:
    content = _text(path, shown, note)
    if content is None:
        return None
    try:
        body, faults = hcl.read(content, shown)
    except SyntaxFault as fault:
        place = f"{shown}:{fault.line}" if fault.line else shown
        note(f"{place}: the file is not imported, since it is not Terraform's language: {fault}")
        return None
    for text in faults:
        note(text)
    return body


def _text(path: Path, shown: str, note: Note) -> str | None:
    try:
        if path.stat().st_size > LARGEST_FILE:
            note(f"{shown}: the file is not imported, since it is larger than {LARGEST_FILE // 1_000_000} MB")
            return None
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        note(f"{shown}: the file is not imported, since its byte {error.start} is not UTF-8; save it in UTF-8")
    except OSError as error:
        note(f"{shown}: the file is not imported: {error.strerror}")
    return None


def installed_modules(folder: Path) -> dict[str, Path]:
    """Returns the folders of modules that `terraform init` has installed, by their path of calls such as emr.task."""
    try:
        listed = json.loads((folder / ".terraform" / "modules" / "modules.json").read_text("utf-8"))["Modules"]
        return {str(one["Key"]): folder / str(one["Dir"]) for one in listed if one["Key"]}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


# --- values of the root module's variables ---


def given_values(
    module: Module, context: Context, files: Sequence[Path], settings: Sequence[str], *, beside: bool
) -> dict[str, Any]:
    """Returns the values of a root module's variables, the last one of each name.

    `files` and `settings` are those of -var-file and -var. `beside` says whether terraform.tfvars and similar files are
    read, too. Raises `SyntaxFault` for one of `settings` that is not of the form NAME=VALUE.
    """
    values: dict[str, Any] = {}
    named = [(path, path.name) for path in (_automatic_files(module.folder) if beside else ())]
    for path, shown in [*named, *((path, str(path)) for path in files)]:
        values |= dict(_file_values(path, shown, context))
    for setting in settings:
        name, mark, text = setting.partition("=")
        if not mark:
            raise SyntaxFault(f"'{setting}' is not of the form NAME=VALUE")
        values[name.strip()] = _setting(module.blocks["variable"].get(name.strip()), text, context, module.folder)
    for name in sorted(values.keys() - module.blocks["variable"].keys()):
        context.note(f"{name} is given a value, but the root module has no variable {name}")
    return values


def _automatic_files(folder: Path) -> Iterator[Path]:
    """Yields the files of values that Terraform reads by itself, in its order."""
    yield from (path for name in ("terraform.tfvars", "terraform.tfvars.json") if (path := folder / name).is_file())
    found = [*folder.glob("*.auto.tfvars"), *folder.glob("*.auto.tfvars.json")]
    yield from sorted((path for path in found if path.is_file()), key=lambda path: path.name)


def _file_values(path: Path, shown: str, context: Context) -> Iterator[tuple[str, Any]]:
    text = _text(path, shown, context.note)
    if text is None:
        return
    try:
        if path.name.endswith(".json"):
            yield from json.loads(text).items()
            return
        body = hcl.parse(text, shown)
    except (SyntaxFault, ValueError, AttributeError) as fault:
        line = getattr(fault, "line", 0)
        context.note(
            f"{shown}{f':{line}' if line else ''}: the values are not imported, since they can't be read: {fault}"
        )
        return
    scope = Scope(context, path.parent, {})
    for name, expr in body.attributes.items():
        try:
            yield name, scope.known(expr)
        except Unknown:
            context.note(f"{body.place(expr.line)}: the value of {name} is not imported: it is not a constant")


def _setting(declared: Body | None, text: str, context: Context, folder: Path) -> Any:
    """Returns the value of -var: a text, unless the variable has a type that is more than that."""
    constraint = type_of(declared)
    if constraint is None or type_name(constraint) in ("string", "number", "bool"):
        return text
    return Scope(context, folder, {}).known(hcl.expression(text))


def type_of(declared: Body | None) -> Expr | None:
    """Returns the type constraint of a variable's declaration."""
    constraint = declared.attributes.get("type") if declared else None
    # In the JSON syntax a constraint is an expression in a text.
    return hcl.expression(constraint.value) if isinstance(constraint, Literal) else constraint


def default_of(declared: Body, scope: Scope) -> Any:
    """Returns the default of a variable in its type. Raises `Unknown` without one."""
    expr = declared.attributes.get("default")
    if expr is None:
        raise Unknown
    value = expr.value if isinstance(expr, Literal) else scope.known(expr)
    return convert_to_type(value, type_of(declared))
