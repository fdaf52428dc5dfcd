"""Fills objects from XML as boto 2 did, by calls of `startElement` and `endElement` for each element.

The object around an element gets its `startElement`, which may return an object for the element. That object then gets
the calls for the element's content, and `endElement` with its text. Without it, the object around the element gets
them.
"""

from __future__ import annotations

import xml.sax
import xml.sax.handler
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

ISO8601 = "%Y-%m-%dT%H:%M:%SZ"
"""The format of times in EMR's query API, as boto 2 gave them."""


class XmlHandler(xml.sax.ContentHandler):
    """Passes a document to `root_node`."""

    def __init__(self, root_node: Any, connection: Any) -> None:
        super().__init__()
        self.connection = connection
        self.nodes = [root_node]
        self.text = ""

    def startElement(self, name: str, attrs: Any) -> None:
        """Begins an element, as SAX calls it."""
        self.text = ""
        own = self.nodes[-1].startElement(name, attrs, self.connection)
        self.nodes.append(self.nodes[-1] if own is None else own)

    def endElement(self, name: str) -> None:
        """Ends an element, as SAX calls it."""
        self.nodes.pop().endElement(name, self.text, self.connection)
        self.text = ""

    def characters(self, content: str) -> None:
        """Collects the text of an element, as SAX calls it."""
        self.text += content


def parse(text: str | bytes, root_node: Any, connection: Any) -> None:
    """Passes an XML text to `root_node`. Raises SAXParseException. External entities are not followed."""
    content = text.encode() if isinstance(text, str) else text
    xml.sax.parseString(content, XmlHandler(root_node, connection))  # noqa: S317 - what EMR answered


def fill(node: Any, members: Any, connection: Any) -> None:
    """Passes the members of a JSON answer to `node` as those of the same answer in XML."""
    for name, value in members.items():
        _element(node, name, value, connection)


# Structures around fields that boto 2 kept in the object outside of them.
_WRAPPERS = frozenset(
    {
        "BootstrapActionConfig",
        "Cluster",
        "ExecutionStatusDetail",
        "HadoopJarStep",
        "Instances",
        "JobFlows",
        "Placement",
        "ScriptBootstrapAction",
        "Step",
        "StepConfig",
    }
)


def _element(owner: Any, name: str, value: Any, connection: Any) -> None:
    own = owner.startElement(name, {}, connection)
    node = owner if own is None else own
    if isinstance(value, dict | list):
        # The content of members that are newer than boto 2 is left out, since its names have other meanings.
        if own is None and name not in _WRAPPERS:
            value = _join_texts(value)
        else:
            for inner, item in _parts(node, value):
                _element(node, inner, item, connection)
            value = ""
    if value is not None:
        node.endElement(name, _text(value), connection)


def _parts(node: Any, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and isinstance(node, list):
        # A mapping, where there was a list of pairs: a step's properties.
        value = [{"Key": key, "Value": text} for key, text in value.items()]
    return value.items() if isinstance(value, dict) else [("member", item) for item in value]


def _join_texts(value: Any) -> str | None:
    """Returns a list of texts in a place where boto 2 had one; None for what can't be one."""
    return ",".join(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _text(value: Any) -> str:
    """Returns a value as it stood in XML: `true`, `3`, `2014-01-24T01:21:21Z`."""
    if isinstance(value, bool):
        return str(value).lower()
    # The SDK gives times in the zone of this machine.
    return value.astimezone(timezone.utc).strftime(ISO8601) if isinstance(value, datetime) else str(value)
