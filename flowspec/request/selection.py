"""Selects some of a flow's steps for a run: from one of them on, those with given names, or those at given indexes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from flowspec.document.api_form import Origins
from flowspec.document.nearest import not_found
from flowspec.errors import NothingFound
from flowspec.request.compile import OmittedStep, Request


def select_steps(request: Request, *, first: str | None = None, only: Collection[str] = ()) -> Request:
    """Returns the request with the steps from `first` on, and of those only the steps named in `only`.

    Local files that only the other steps name are left out. Raises NothingFound for a name that no step has, for one
    that several have where one is meant, and when no step is left.
    """
    if first is None and not only:
        return request
    params = request.params
    names = [step["Name"] for step in params.get("Steps", ())]
    for name in [*([first] if first is not None else []), *only]:
        if name not in names:
            raise not_found(f"the spec has no step called {name!r}", name, names)
    start = _index_of_unique(first, names) if first is not None else 0
    kept = [index for index, name in enumerate(names) if index >= start and (not only or name in only)]
    if not kept:
        named = ", ".join(map(repr, only))
        raise NothingFound(
            f"no step is left: none called {named} comes after {first!r}", remedy="leave out --from or --only"
        )
    chosen = keep_steps(request, kept)
    added = frozenset(index for index in range(len(chosen.params["Steps"])) if not is_setup_step(chosen, index))
    return dataclasses.replace(chosen, selected=added)


def is_setup_step(request: Request, index: int) -> bool:
    """Returns True for the step that `enable_debugging` adds: each new cluster needs it, whatever else it runs."""
    return request.origins.get(("Steps", index)) == ("enable_debugging",)


def keep_steps(request: Request, indexes: Collection[int]) -> Request:
    """Returns the request with the steps at these indexes, and the one that sets up the cluster (`is_setup_step`).

    Local files that only the other steps name are left out.
    """
    params = request.params
    steps = params.get("Steps", [])
    kept = [index for index in range(len(steps)) if index in indexes or is_setup_step(request, index)]
    left_out = sorted(set(range(len(steps))).difference(kept))
    params = {**params, "Steps": [steps[index] for index in kept]}
    text = json.dumps(params, ensure_ascii=False)
    assets = tuple(one for one in request.assets if json.dumps(one.uri, ensure_ascii=False)[1:-1] in text)
    return dataclasses.replace(
        request,
        assets=assets,
        params=params,
        origins=_renumber_origins(request.origins, kept),
        omitted=tuple(OmittedStep(sum(one < index for one in kept), steps[index]) for index in left_out),
    )


def all_steps(steps: Sequence[Mapping[str, Any]], omitted: Sequence[OmittedStep]) -> list[Mapping[str, Any]]:
    """Returns the steps of the whole spec, in order: those that a run keeps, and those that it leaves out."""
    found: list[Mapping[str, Any]] = []
    for index in range(len(steps) + 1):
        found += [one.config for one in omitted if one.place == index]
        found += steps[index : index + 1]
    return found


def _index_of_unique(name: str, names: Sequence[str]) -> int:
    if names.count(name) > 1:
        remedy = "give the steps different names, so that only one is meant"
        raise NothingFound(f"{names.count(name)} steps are called {name!r}", remedy=remedy)
    return names.index(name)


def _renumber_origins(origins: Origins, kept: Iterable[int]) -> Origins:
    """Returns the origins of a request that keeps only the steps at these indexes."""
    places = {before: after for after, before in enumerate(kept)}
    moved = {}
    for path, origin in origins.items():
        if path[:1] != ("Steps",) or len(path) == 1:
            moved[path] = origin
        elif (before := path[1]) in places and isinstance(before, int):
            moved[("Steps", places[before], *path[2:])] = origin
    return moved
