r"""The conditions of `--select`, by which some of many flows are chosen.

    name~REGEX         flows whose name contains a match of REGEX
    name=NAME          the flow of that name
    tag=KEY:VALUE      flows whose cluster has this tag with this value
    tag=KEY            flows whose cluster has this tag

Conditions with a comma between them must all hold: `name~^etl-,tag=team:data`; a comma of a regex or value is `\,`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flowspec.document.text.tree import Document, plain, scalars
from flowspec.errors import FlowspecError

_COMMA = r"write a comma within a condition as \,"
_FORMS = f"write name~REGEX, name=NAME, tag=KEY:VALUE or tag=KEY; {_COMMA}"


class Condition(NamedTuple):
    """One condition on a flow: its name has a match of `pattern`, or its cluster the tag `key` (with this `value`)."""

    pattern: re.Pattern[str] | None = None
    key: str = ""
    value: str | None = None

    def holds(self, name: str, tags: Mapping[str, str]) -> bool:
        """Returns True if it holds for a flow of this name and these tags."""
        if self.pattern is not None:
            return bool(self.pattern.search(name))
        return self.key in tags and self.value in (None, tags[self.key])


def read_selects(selects: Sequence[str]) -> list[list[Condition]]:
    """Reads lists of conditions. Raises FlowspecError for an invalid condition."""
    return [[_condition(part) for part in re.split(r"(?<!\\),", select)] for select in selects]


def colon_hint(selects: Sequence[str]) -> str:
    """Returns how a tag with a value is written, if a condition that nothing meets has `=` between them; else "".

    A key may have this character, so the condition is valid; `flowspec list --tag` takes KEY=VALUE.
    """
    keys = (one.key for every in read_selects(selects) for one in every if "=" in one.key and one.value is None)
    return next((f"the value of a tag follows a colon: tag={key.replace('=', ':', 1)}" for key in keys), "")


def _condition(text: str) -> Condition:
    found = re.fullmatch(r"(name)\s*([~=])(.+)|tag=([^:]+)(?::(.*))?", text.strip(), re.DOTALL)
    if not found:
        raise FlowspecError(f"{text!r} is not a condition: {_FORMS}")
    _, operator, wanted, key, value = found.groups()
    if key is not None:
        return Condition(key=_unescaped(key), value=None if value is None else _unescaped(value))
    try:
        text = _unescaped(wanted)
        return Condition(re.compile(text if operator == "~" else rf"\A{re.escape(text)}\Z"))
    except re.error as error:
        raise FlowspecError(f"{wanted!r} is not a regular expression: {error}; {_COMMA}") from error


def _unescaped(text: str) -> str:
    return text.replace(r"\,", ",")


def is_selected(document: Document, alternatives: Sequence[Sequence[Condition]]) -> bool:
    """Returns True if a rendered spec meets all conditions of an alternative, or its name or tags did not render.

    A flow whose name is not known is selected, so that a command reports its errors.
    """
    nodes = {name: document.root.get(name) for name in ("name", "tags")}
    if any(one.failed for node in nodes.values() if node for one in scalars(node)):
        return True
    name, tags = (node and plain(node) for node in nodes.values())
    texts = {key: "" if value is None else str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}
    return any(all(one.holds(str(name), texts) for one in every) for every in alternatives)
