"""Converts nodes to plain data by the schema: if the schema requires text, a plain scalar is the text as written.

So `bid_price: 0.10` is "0.10" and `spark.speculation: true` is "true", while `count: 4` is 4.
"""

from __future__ import annotations

from typing import Any

from flowspec.document import schema as schemas
from flowspec.document.text.tree import Document, Items, Mapping, Node, Scalar, plain


def read_values(document: Document) -> tuple[Any, frozenset[str]]:
    """Returns a document as plain data, by the schema of specs, and the secret values in it."""
    reading = Reading()
    return reading.value(document.root, schemas.strict()), document.secrets | reading.secrets


class Reading:
    """One reading of a document. `failed` are the paths that could not be rendered, `secrets` the secret values."""

    def __init__(self) -> None:
        self.failed: list[tuple[str | int, ...]] = []
        self.secrets: frozenset[str] = frozenset()

    def value(self, node: Node, schema: schemas.Schema | None, path: tuple[str | int, ...] = ()) -> Any:
        """Returns the node as plain data, by its schema (None: as YAML means it)."""
        if schema is None:
            return plain(node)
        if isinstance(node, Scalar):
            return self._scalar(node, schemas.resolve_schema(schema, "scalar"), path)
        if isinstance(node, Items):
            items = schemas.resolve_schema(schema, "array").get("items")
            return [self.value(item, items, (*path, index)) for index, item in enumerate(node.items)]
        return self._mapping(node, schema, path)

    def _mapping(self, node: Mapping, schema: schemas.Schema, path: tuple[str | int, ...]) -> dict[str, Any]:
        kind = node.get("type")
        known = schemas.resolve_schema(schema, "object", kind.value if isinstance(kind, Scalar) else None)
        out = {}
        for name, (key, value) in node.entries.items():
            if key.failed:
                self.failed.append((*path, name))
            out[name] = self.value(value, schemas.member(known, name), (*path, name))
        return out

    def _scalar(self, node: Scalar, schema: schemas.Schema, path: tuple[str | int, ...]) -> Any:
        if node.failed:
            self.failed.append(path)
            return None
        value = node.value
        if schema.get("x-text") and value is not None and not isinstance(value, str):
            value = node.text
        if schema.get("x-sensitive") and value:
            self.secrets |= {str(value)}
        return value
