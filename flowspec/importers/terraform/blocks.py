"""The arguments and blocks of a block, with `count`, `for_each` and `dynamic` carried out."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.evaluate import Namespace, Scope
from flowspec.importers.terraform.functions import FAULTS
from flowspec.importers.terraform.syntax import Block, Body
from flowspec.importers.terraform.values import SetOf, Unknown, pairs_of, to_number

_MOST_INSTANCES = 1000
# The arguments of Terraform itself, which every block may have.
META = {"count", "for_each", "provider", "depends_on", "providers", "source", "version"}
_META_BLOCKS = {"lifecycle", "provisioner", "connection", "timeouts"}


class Values(dict[str, Any]):
    """The arguments of a block: values, and lists of `Values` for its blocks. `places` says where each is written."""

    def __init__(self, place: str = "") -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, str] = {}


class Repetition(NamedTuple):
    """One instance that `count` or `for_each` makes: the index in its address and the names that it binds."""

    suffix: str
    bound: dict[str, Any]


def repetitions(body: Body, scope: Scope, what: str, *, assume: bool = True) -> list[Repetition]:
    """Returns the instances that `count` or `for_each` make.

    Where their number is not known: one if `assume`, else none.
    """
    single = [Repetition("", {})]
    word = next((one for one in ("count", "for_each") if one in body.attributes), None)
    if word is None:
        return single
    expr = body.attributes[word]
    place, shown = body.place(expr.line), " ".join(expr.text.split())
    before, scope.context.used = scope.context.used, set()
    try:
        if word == "count":
            made = _repeat_by_count(scope.known(expr))
        else:
            made = _repeat_by_for_each(scope.collection(expr), scope.context)
        if scope.context.used:
            how = {0: "it is left out", 1: "there is one"}.get(len(made), f"there are {len(made)}")
            scope.context.note(f"{place}: {word} of {what} is {shown}; by {scope.context.inputs()}, {how}")
        return made
    except FAULTS:
        how = "taken as one" if assume else "it is not imported"
        scope.context.note(f"{place}: {word} of {what} can't be decided ({shown}): {how}")
        return single if assume else []
    finally:
        scope.context.used = before


def _repeat_by_count(value: Any) -> list[Repetition]:
    number = to_number(value)
    if number != int(number) or not 0 <= number <= _MOST_INSTANCES:
        raise Unknown
    numbers = range(int(number))
    return [Repetition(index_of(at), {"count": Namespace({"index": at}.__getitem__)}) for at in numbers]


def _repeat_by_for_each(value: Any, context: Context) -> list[Repetition]:
    if not isinstance(value, SetOf | dict) or len(value) > _MOST_INSTANCES:
        raise Unknown
    # Of a map only the keys have to be known.
    pairs = pairs_of(context.fill_placeholders(value)) if isinstance(value, SetOf) else pairs_of(value)
    return [
        Repetition(index_of(key), {"each": Namespace({"key": key, "value": inner}.__getitem__)})
        for key, inner in ((context.fill_placeholders(key), inner) for key, inner in pairs)
    ]


def index_of(key: Any) -> str:
    """Returns the index that an address has for a number of `count`, or a key of `for_each`."""
    return f'["{key}"]' if isinstance(key, str) else f"[{key}]"


def evaluate_block(body: Body, scope: Scope, path: str) -> Values:
    """Returns the arguments of a block and its blocks, with `dynamic` ones written out; what is null is left out."""
    out = Values(body.place())
    for key, expr in body.attributes.items():
        if key in META and not path:
            continue
        out.places[key] = body.place(expr.line)
        scope.context.used = set()
        value = scope.value(expr)
        if scope.context.used:
            name = f"{path}{key}"
            scope.context.note(f"{out.places[key]}: {name} is computed with {scope.context.inputs()}")
        if value is not None:
            out[key] = value
    for block in body.blocks:
        if block.kind in _META_BLOCKS and not path:
            continue
        kind = block.made_kind
        out.places.setdefault(kind, block.body.place())
        is_dynamic = block.kind == "dynamic"
        made = (
            _expand_dynamic_block(block, scope, path)
            if is_dynamic
            else [evaluate_block(block.body, scope, f"{path}{kind}.")]
        )
        if not isinstance(out.setdefault(kind, []), list):
            # Terraform refuses an attribute beside blocks of its name.
            out[kind] = [out[kind]]
        out[kind].extend(made)
    return out


def _expand_dynamic_block(block: Block, scope: Scope, path: str) -> list[Values]:
    """Returns the blocks that a `dynamic` block makes; none, with a note, where they are not known."""
    body, kind = block.body, block.made_kind
    content = next((one.body for one in body.of("content")), None)
    iterator = body.attributes.get("iterator")
    name = iterator.text.strip('"') if iterator else kind
    scope.context.used = set()
    try:
        pairs = pairs_of(scope.collection(body.attributes["for_each"]))
    except FAULTS:
        pairs, content = [], None
    if content is None:
        shown = " ".join(body.attributes["for_each"].text.split()) if "for_each" in body.attributes else ""
        scope.context.note(f"{body.place()}: dynamic block {path}{kind} is not imported: {shown} is not known here")
        return []
    if scope.context.used:
        scope.context.note(f"{body.place()}: the blocks {path}{kind} are made with {scope.context.inputs()}")
    made = []
    for key, inner in pairs:
        scope.context.spend()
        names = Namespace({"key": key, "value": inner}.__getitem__)
        made.append(evaluate_block(content, scope.binding(**{name: names}), f"{path}{kind}."))
    return made
