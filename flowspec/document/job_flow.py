"""A valid job flow for one target, ready to be compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowspec.document.text.tree import Document
from flowspec.errors import Diagnostic, SpecError
from flowspec.facts.backends import TRAITS, BackendName, Traits


@dataclass(frozen=True)
class JobFlow:
    """A valid spec for one target.

    `target` is "" when the spec has none; `path` is the spec file. `fields` are the rendered, checked members of the
    spec that describe the job flow, under the spec's names, without members for the tool (variables, targets, backend
    …). `secrets` are the texts that must not be shown; `document` knows the place of everything. With a `data_root`,
    relative paths of data are below it instead of below the spec's tree, so that the run of a test does not change the
    checkout. `options` are those of the command line with which the spec was rendered, none of them with a secret.
    """

    name: str
    target: str
    backend: BackendName
    region: str | None
    profile: str | None
    endpoint_url: str | None
    staging: str | None
    path: Path
    fields: Mapping[str, Any]
    document: Document = field(compare=False, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    warnings: tuple[Diagnostic, ...] = ()
    data_root: Path | None = None
    options: tuple[str, ...] = field(default=(), compare=False)

    @property
    def cluster_name(self) -> str:
        """The Name that its clusters have: the flow's, unless `api_params` gives another."""
        return str(self.fields.get("api_params", {}).get("Name", self.name))

    @property
    def traits(self) -> Traits:
        """The properties of its backend."""
        return TRAITS[self.backend]


class InvalidJobFlow(SpecError):
    """A spec is invalid; `valid_part` is the job flow of its valid part, in which further checks may find errors."""

    def __init__(self, diagnostics: Iterable[Diagnostic], valid_part: JobFlow) -> None:
        super().__init__(diagnostics)
        self.valid_part = valid_part
