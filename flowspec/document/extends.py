"""`extends`: a spec laid over its base file, which may have a base file of its own.

A base file is named relative to the file that extends it. It has to be in the same git repository, or,
where there is none, in or below the folder of the spec: a spec may come from someone who is not
trusted with the rest of the machine, and messages show lines of the files they are about.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flowspec.document.overrides import merged
from flowspec.document.parse import load
from flowspec.document.tree import Document, Mapping, Scalar
from flowspec.errors import SpecError

KEY = "extends"


def extended(document: Document) -> Document:
    """The document with its base files merged under it; itself when it extends none.

    Raises `SpecError` when a base file is missing, out of bounds, its own base, or no spec.
    """
    if KEY not in document.root.entries:
        return document
    chain = [document]
    tree = tree_of(document.path)
    try:
        while base := _base(chain, tree):
            chain.append(base)
    except SpecError as error:
        raise SpecError([*(found for one in chain for found in one.diagnostics), *error.diagnostics]) from None
    root, found = _without_key(chain[-1].root), list(chain[-1].diagnostics)
    for one in reversed(chain[:-1]):
        root = merged(root, _without_key(one.root), found)
        found += one.diagnostics
    return replace(document, root=root, diagnostics=tuple(found)) if len(chain) > 1 else document


def tree_of(path: Path) -> Path:
    """The folder that what a spec speaks of has to be in: its git repository, else its own folder."""
    folder = Path(os.path.realpath(path)).parent
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _base(chain: Sequence[Document], tree: Path) -> Document | None:
    """The document that the last of the chain extends."""
    document = chain[-1]
    name = document.root.get(KEY)
    # What is no text at all is left for the schema to complain about.
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return None
    path = Path(os.path.normpath(document.path.parent / name.value))
    problem = _problem(name.value, path, chain, tree)
    if problem:
        id_, message, notes = problem
        hint = "extends is read before variables are known" if "{{" in name.value else ""
        raise SpecError([document.diagnostic(id_, (KEY,), message, hint=hint, notes=notes)])
    return load(path)


def _problem(name: str, path: Path, chain: Sequence[Document], tree: Path) -> tuple[str, str, tuple[str, ...]] | None:
    real = Path(os.path.realpath(path))
    if not name or not real.is_relative_to(tree):
        return (
            "FS314",
            f"'{name}' is not below {tree}",
            ("a base file is kept in the repository or folder of its spec",),
        )
    seen = [os.path.realpath(one.path) for one in chain]
    if str(real) in seen:
        circle = " -> ".join([*(str(one.path) for one in chain[seen.index(str(real)) :]), str(path)])
        return "FS315", "this file extends itself", (circle,)
    return None if path.is_file() else ("FS314", f"there is no file '{name}'", (f"looked for {path}",))


def _without_key(root: Mapping) -> Mapping:
    name = root.get(KEY)
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return root
    return Mapping({key: entry for key, entry in root.entries.items() if key != KEY}, root.at, root.origin)
