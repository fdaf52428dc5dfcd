"""Merges one mapping over another: a target over its spec, and a spec over the file that it extends.

Mappings are merged, `null` removes, everything else replaces. The items of named lists are merged by
name, groups and fleets by role and name; an item with a new name is added. Such a list may also be given as a
mapping of names to differences, where `null` removes the item; there a new name is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from flowspec.document.nearest import MAX_GUESSES, did_you_mean
from flowspec.document.text.tree import Items, Mapping, Node, Scalar
from flowspec.errors import Diagnostic
from flowspec.facts.api_model import ROLES

IDENTITY = {
    "steps": ("name",),
    "instance_groups": ("role", "name"),
    "instance_fleets": ("type", "name"),
    "bootstrap_actions": ("name",),
}
"""By named list, the keys that tell its items apart."""

NAMED = tuple(IDENTITY)
"""The lists whose items are merged by name, and may be repeated and left out."""

_ROLE = {kind: keys[0] for kind, keys in IDENTITY.items() if len(keys) > 1}

_Path: TypeAlias = "tuple[str, ...]"


class _Merge(NamedTuple):
    """`origin` is recorded at all values from the override; `found` collects the findings."""

    origin: str
    found: list[Diagnostic]


def merge_override(base: Mapping, over: Mapping, found: list[Diagnostic], origin: str = "") -> Mapping:
    """Merges `over` into `base`; its values are marked with `origin` when that is given."""
    return _merge_mappings(base, over, _Merge(origin, found), ())


def _merge_mappings(base: Mapping, over: Mapping, merge: _Merge, path: _Path) -> Mapping:
    entries = dict(base.entries)
    for name, (key, value) in over.entries.items():
        here = entries.get(name)
        if _is_null(value) and not _is_in_target(path):
            entries.pop(name, None)
        else:
            old = here[1] if here else None
            entries[name] = (here[0] if here else key, _merge_value(old, value, merge, (*path, name)))
    return Mapping(entries, base.at, base.origin)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.failed


def _is_in_target(path: _Path) -> bool:
    """Returns True in a target's own block, where `null` is kept until that target is rendered."""
    return len(path) >= 2 and path[0] == "targets"


def _merge_value(old: Node | None, new: Node, merge: _Merge, path: _Path) -> Node:
    if path[-1] in NAMED and (len(path) == 1 or (len(path) == 3 and path[0] == "targets")):
        if isinstance(old, Items) and isinstance(new, Mapping):
            new = _mapping_as_items(path[-1], old, new, merge, is_final=len(path) == 1)
        if isinstance(old, Mapping) and isinstance(new, Items):
            old = _mapping_as_items(path[-1], Items((), old.at), old, merge, is_final=False)
        if isinstance(old, Items) and isinstance(new, Items):
            return _merge_items(old, new, merge, path)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _merge_mappings(old, new, merge, path)
    return _with_origin(new, merge.origin)


def _merge_items(base: Items, over: Items, merge: _Merge, path: _Path) -> Items:
    items = list(base.items)
    items_by_name = _index_by_names(path[-1], base)
    for one in over.items:
        candidates = dict.fromkeys(
            index for text in _names_of_item(path[-1], one) for index in items_by_name.get(text, ())
        )
        fits = [index for index in candidates if _is_same_item(path[-1], base.items[index], one)]
        if len(fits) > 1:
            message = f"this override fits {len(fits)} items"
            hint = "give the items different names"
            merge.found.append(one.at.source.diagnostic("FS312", message, one.at, hint=hint))
        elif fits:
            old = items[fits[0]]
            assert isinstance(old, Mapping)
            assert isinstance(one, Mapping)
            items[fits[0]] = _merge_mappings(old, one, merge, path)
        else:
            items.append(_with_origin(one, merge.origin))
    return Items(tuple(items), base.at, base.origin)


def _index_by_names(kind: str, base: Items) -> dict[str, list[int]]:
    """Returns the indexes of the items by each of their names: a search for each of thousands would take too long."""
    found: dict[str, list[int]] = {}
    for index, item in enumerate(base.items):
        for text in _names_of_item(kind, item):
            found.setdefault(text, []).append(index)
    return found


def _names_of_item(kind: str, item: Node) -> Iterator[str]:
    role, name = _text_at(item, _ROLE.get(kind)), _text_at(item, "name")
    yield from (text for text in (role, name) if text is not None)


def _is_same_item(kind: str, item: Node, over: Node) -> bool:
    """Returns True if an override is for this item: groups by role, then name; everything else by name."""
    if not isinstance(item, Mapping) or not isinstance(over, Mapping):
        return False
    role, name = _text_at(over, _ROLE.get(kind)), _text_at(over, "name")
    if role is None and name is None:
        return False
    if role is not None and role != _text_at(item, _ROLE.get(kind)):
        return False
    return (
        name is None
        or name == _text_at(item, "name")
        or (role in ("MASTER", "CORE") and _text_at(item, "name") is None)
    )


def _text_at(node: Node, key: str | None) -> str | None:
    value = node.get(key) if key and isinstance(node, Mapping) else None
    return value.text if isinstance(value, Scalar) else None


def _mapping_as_items(kind: str, base: Items, over: Mapping, merge: _Merge, *, is_final: bool) -> Items:
    """Returns the mapping form of an override as the list it stands for; `null` is `when: false`.

    `is_final`: the names must exist. For a target that is in two files, this is not known yet.
    """
    role = _ROLE.get(kind)
    names = dict(_key_of_names(base, role))
    items: list[Node] = []
    for text, (key, value) in over.entries.items():
        word = names.get(text) or ("" if is_final else role if role and text in ROLES else "name")
        if not word:
            message = f"there is no '{text}' among the {kind} to override"
            near = did_you_mean(text, names) if len(merge.found) < MAX_GUESSES else ""
            hint = near or "a new item is added by a list"
            merge.found.append(key.at.source.diagnostic("FS313", message, key.at, hint=hint))
        elif _is_null(value):
            items.append(_item(key, word, {"when": (key, Scalar(False, "false", value.at))}))
        elif isinstance(value, Mapping):
            items.append(_item(key, word, value.entries))
        else:
            message = f"'{text}' must be a mapping of what differs, or null to remove the item"
            merge.found.append(value.at.source.diagnostic("FS313", message, value.at))
    return Items(tuple(items), over.at, over.origin)


def _key_of_names(base: Items, role: str | None) -> Iterator[tuple[str, str]]:
    """Yields each name of the items with the key that holds it; the key `name` comes last, so that it wins."""
    for word in (role, "name"):
        yield from ((text, word) for item in base.items if word and (text := _text_at(item, word)) is not None)


def _item(key: Scalar, word: str, entries: dict[str, tuple[Scalar, Node]]) -> Mapping:
    return Mapping({word: (replace(key, value=word, text=word), key), **entries}, key.at)


def _with_origin(node: Node, origin: str) -> Node:
    if not origin:
        return node
    if isinstance(node, Scalar):
        return replace(node, origin=origin)
    if isinstance(node, Mapping):
        entries = {name: (key, _with_origin(value, origin)) for name, (key, value) in node.entries.items()}
        return Mapping(entries, node.at, origin)
    return Items(tuple(_with_origin(item, origin) for item in node.items), node.at, origin)
