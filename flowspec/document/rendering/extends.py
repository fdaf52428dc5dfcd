"""`extends`: merges a spec over its base file, which may have a base file of its own.

A base file is named relative to the file that extends it. It must be in the same git repository or, without a
repository, in or below the folder of the spec. A spec may come from someone who must not read other files of the
machine, and messages show lines of the files that they are about.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from flowspec.document.rendering.overrides import merge_override
from flowspec.document.text.parse import MAX_BYTES, load, odd_kind, tree_of
from flowspec.document.text.tree import Document, Mapping, Scalar
from flowspec.errors import SpecError

KEY = "extends"
MAX_CHAIN = 32
"""The maximum number of files that extend each other: the chain is merged file by file, and people have to follow
it."""


def merge_bases(document: Document) -> Document:
    """Returns the document with its base files merged under it; itself when it extends none.

    Raises `SpecError` when a base file is missing, outside of the allowed folder, its own base, or not a spec.
    """
    if KEY not in document.root.entries:
        return document
    chain = [document]
    seen = {os.path.realpath(document.path): document.path}
    tree = tree_of(document.path)
    try:
        while base := _load_base(chain[-1], seen, tree):
            chain.append(base)
            if sum(len(one.source.text) for one in chain) > MAX_BYTES:
                # All are in memory at once: a megabyte of text takes 50 MB there, and a second to read.
                message = f"the files that extend each other are larger than {MAX_BYTES // 1_000_000} MB together"
                hint = "keep what no run needs in files of its own"
                raise SpecError([chain[-2].diagnostic("FS010", (KEY,), message, hint=hint)])
    except SpecError as error:
        raise SpecError([*(found for one in chain for found in one.diagnostics), *error.diagnostics]) from None
    root, found = _without_key(chain[-1].root), list(chain[-1].diagnostics)
    for one in reversed(chain[:-1]):
        root = merge_override(root, _without_key(one.root), found)
        found += one.diagnostics
    return replace(document, root=root, diagnostics=tuple(found)) if len(chain) > 1 else document


def target_names(path: Path | str) -> list[str]:
    """Returns the names of a spec's targets, those of its base files too. Raises SpecError when it can't be read."""
    targets = merge_bases(load(path)).root.get("targets")
    return list(targets.entries) if isinstance(targets, Mapping) else []


def _load_base(document: Document, seen: dict[str, Path], tree: Path) -> Document | None:
    """Returns the document that one extends; `seen` are the real paths of the chain so far, it is added to them."""
    name = document.root.get(KEY)
    # The schema reports a value that is not a text.
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return None
    path = Path(os.path.normpath(document.path.parent / name.value))
    problem = _explain_bad_base(name.value, path, seen, tree)
    if problem:
        id_, message, notes = problem
        hint = "extends is read before variables are known" if "{{" in name.value else ""
        raise SpecError([document.diagnostic(id_, (KEY,), message, hint=hint, notes=notes)])
    seen[os.path.realpath(path)] = path
    return load(path)


def _explain_bad_base(
    name: str, path: Path, seen: dict[str, Path], tree: Path
) -> tuple[str, str, tuple[str, ...]] | None:
    # No file name contains NUL, and realpath raises an exception for it.
    real = os.path.realpath(path) if "\0" not in name else os.path.abspath(path)  # noqa: PTH100
    if not name or not Path(real).is_relative_to(tree):
        notes = ("a base file is kept in the repository or folder of its spec",)
        return "FS314", f"'{name}' is not below {tree}", notes
    if real in seen:
        chain = list(map(str, seen.values()))
        circle = " -> ".join([*chain[list(seen).index(real) :], str(path)])
        return "FS315", "this file extends itself", (circle,)
    if odd := odd_kind(path):
        return "FS314", f"'{name}' is {odd}, not a file", (f"looked at {path}; name a file, such as base.yaml",)
    # Unlike Path.is_file, it returns False for a name that is too long for a file.
    if not os.path.isfile(path):  # noqa: PTH113
        return "FS314", f"there is no file '{name}'", (f"looked for {path}",)
    if len(seen) >= MAX_CHAIN:
        notes = (f"the first one is {next(iter(seen.values()))}",)
        return "FS314", f"more than {MAX_CHAIN} files extend each other", notes
    return None


def _without_key(root: Mapping) -> Mapping:
    name = root.get(KEY)
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return root
    return Mapping({key: entry for key, entry in root.entries.items() if key != KEY}, root.at, root.origin)
