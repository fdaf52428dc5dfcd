"""A configuration of the AWS provider -> where it sends its calls, and the tags that it adds to each resource."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from flowspec.importers.terraform.blocks import Values, evaluate_block
from flowspec.importers.terraform.evaluate import Scope
from flowspec.importers.terraform.syntax import Body

# The settings of credentials and endpoints, other than the profile.
_NOT_IMPORTED = ("access_key", "assume_role", "assume_role_with_web_identity", "endpoints")


class Provider(NamedTuple):
    """A configuration of the provider, and the scope that it is in; without a body it is only in the environment."""

    body: Body | None
    scope: Scope

    def setting(self, name: str) -> str:
        """Returns the region or the profile; "" where it is not written."""
        expr = self.body.attributes.get(name) if self.body else None
        value = self.scope.value(expr) if expr else None
        return value if isinstance(value, str) else ""

    def default_tags(self) -> Values:
        """Returns the block `default_tags`, whose tags each resource has, too; its own take precedence."""
        if self.body is None:
            return Values()
        attributes = {key: expr for key, expr in self.body.attributes.items() if key == "default_tags"}
        blocks = [one for one in self.body.blocks if one.made_kind == "default_tags"]
        return evaluate_block(replace(self.body, attributes=attributes, blocks=blocks), self.scope, "provider.")

    def notes(self) -> Iterator[str]:
        """Yields a note on each setting that no spec has."""
        if self.body is None:
            return
        lines = {name: expr.line for name, expr in self.body.attributes.items()}
        lines |= {one.made_kind: one.body.line for one in self.body.blocks}
        for name in _NOT_IMPORTED:
            if name in lines:
                place = self.body.place(lines[name])
                yield f"{place}: {name} of the provider is not imported: give the spec a `profile:` or `endpoint_url:`"
