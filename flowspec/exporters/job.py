"""The request as the exporters see it: each secret is a placeholder with a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowspec.errors import FlowspecError
from flowspec.facts.api_model import Json
from flowspec.importers.names import Names
from flowspec.importers.placeholders import PLACEHOLDER, Variable

# A secret of one or two letters is only found if it is the whole value, as in masking.
_SHORTEST_INSIDE = 3
# No names of secrets, without underscores: those of a module's arguments, which Terraform refuses ("Input Variables"),
# that of CloudFormation's resource, and those of the object that has Airflow's variables.
_RESERVED = frozenset(
    {
        *("source", "version", "providers", "count", "foreach", "lifecycle", "dependson", "locals"),
        *("cluster", "get", "var"),
    }
)


@dataclass(frozen=True)
class Job:
    """A request to export. `params` have a placeholder for each secret; `secrets` are their values, by name.

    `with_groups` are `params` with instance groups in the place of MasterInstanceType, SlaveInstanceType and
    InstanceCount.
    """

    name: str
    params: Json
    with_groups: Json
    secrets: Mapping[str, str] = field(repr=False)
    region: str = ""
    profile: str = ""


class _NamesForAll(Names):
    """Names that all formats allow. They differ without their underscores, which CloudFormation does not allow."""

    def _is_taken(self, name: str) -> bool:
        return name.replace("_", "") in {*_RESERVED, *(one.replace("_", "") for one in self.variables)}


class References:
    """Replaces secrets by placeholders, which are named like the members that hold them."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._names = _NamesForAll()

    @property
    def values(self) -> dict[str, str]:
        """The secrets that were replaced, by their names."""
        return {name: one.default for name, one in self._names.variables.items()}

    def replace_secrets(self, value: Any, member: str = "secret") -> Any:
        """Returns the value with a placeholder for each secret. Raises `FlowspecError` if a key contains one."""
        if isinstance(value, dict):
            named = str(value.get("Key") or "")
            for key in value:
                if self._contains_secret(key):
                    raise FlowspecError(
                        f"a secret is part of a name in {member}", remedy="only values may be sensitive"
                    )
            return {key: self.replace_secrets(item, named if key == "Value" else key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace_secrets(item, "secret") for item in value]
        if isinstance(value, str):
            return self._replace_in_text(value, member)
        return self._placeholder_of(str(value), member) if str(value) in self._secrets else value

    def _contains_secret(self, text: str) -> bool:
        return any(one in text for one in self._secrets if len(one) >= _SHORTEST_INSIDE) or text in self._secrets

    def _replace_in_text(self, text: str, member: str) -> str:
        if text in self._secrets:
            return self._placeholder_of(text, member)
        for one in self._secrets:
            if len(one) >= _SHORTEST_INSIDE and one in text:
                text = text.replace(one, self._placeholder_of(one, member))
        return text

    def _placeholder_of(self, secret: str, member: str) -> str:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", member).lower()
        return self._names.placeholder_for(secret, words, Variable(default=secret))


def write_placeholders(text: str, literal: Callable[[str], str], reference: Callable[[str], str]) -> str:
    """Returns a text in a format: each placeholder as a reference, and the rest as the format writes text."""
    pieces = PLACEHOLDER.split(text)
    return "".join(reference(piece) if index % 2 else literal(piece) for index, piece in enumerate(pieces))


def without(value: Mapping[str, Any], *members: str) -> Json:
    """Returns a copy without these members."""
    return {key: item for key, item in value.items() if key not in members}
