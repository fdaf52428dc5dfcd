"""A file that contains only steps -> a document: for steps that are added to an existing cluster."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowspec.document.rendering.extends import merge_bases
from flowspec.document.rendering.render import value_node
from flowspec.document.text.parse import compose, document_of, read
from flowspec.document.text.tree import Document, Items, Mapping, Scalar
from flowspec.errors import SpecError


def load_steps(path: Path) -> Document | Items:
    """Reads a spec, or a list of steps as `steps:` of a spec has it; templates are not filled in yet.

    Raises SpecError for a file that is neither.
    """
    source = read(path)
    root, found = compose(source)
    if isinstance(root, Mapping) and not _has_steps_alone(root):
        return document_of(source)
    if not isinstance(root, Items) or found:
        hint = "write `- name: …` and `type: …` for each step, or name a spec"
        hint = "leave out `steps:`, the file is the list itself" if isinstance(root, Mapping) else hint
        message, at = "this is neither a spec nor a list of steps", root.at if root else None
        raise SpecError(found or [source.diagnostic("FS005", message, at, hint=hint)])
    return root


def _has_steps_alone(root: Mapping) -> bool:
    """Returns True if a mapping has steps, and nothing that makes it a spec."""
    return "steps" in root.entries and not root.entries.keys() & {"flowspec", "name", "extends"}


def with_steps(document: Document, path: Path, steps: Items) -> Document:
    """Returns the document with these steps instead of its own.

    Their relative paths are those of the folder of `path`.
    """
    base = merge_bases(document)
    key = Scalar("steps", "steps", steps.at)
    root = Mapping({**base.root.entries, "steps": (key, steps)}, base.root.at)
    # By its source, the document declares no variable itself: those that the steps don't use may be for others.
    return replace(base, path=path, source=steps.at.source, root=root)


def steps_alone(path: Path, steps: Items, header: MappingOf[str, Any]) -> Document:
    """Returns a document of `header` (members of a spec, as plain data) and these steps, at the place of their file."""
    root = value_node(dict(header), steps.at)
    assert isinstance(root, Mapping)
    return with_steps(Document(path, steps.at.source, root), path, steps)
