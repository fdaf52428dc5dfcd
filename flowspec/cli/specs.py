"""Reads specs as the options of a command say: rendered, validated, or only as far as finding their clusters needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowspec.facts.backends import DEFAULT_BACKEND, TRAITS

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Endpoint
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import Document
    from flowspec.facts.backends import BackendName


class Rendering(NamedTuple):
    """The options that say how a spec is rendered (`options.VARIABLES`)."""

    target: str | None = None
    assignments: tuple[str, ...] = ()
    variable_files: tuple[Path, ...] = ()
    date: datetime | None = None

    @property
    def now(self) -> datetime | None:
        """The time in UTC that `ds` and `ts` mean, if --date is given."""
        return self.date.replace(tzinfo=timezone.utc) if self.date else None

    def public_assignments(self, document: Document) -> tuple[str, ...]:
        """Returns the values of `--var`, without those that set or quote a sensitive variable of the rendered spec."""
        # A number or a list is not in `secrets` as it was given: its variable is recognised by its name.
        others = (one for one in self.assignments if one.partition("=")[0] not in document.sensitive)
        return tuple(one for one in others if not any(secret in one for secret in document.secrets if secret))

    def words(self, document: Document) -> tuple[str, ...]:
        """Returns the options as words of a command line, without the target and the secrets of the rendered spec."""
        given = (
            *(("--var", one) for one in self.public_assignments(document)),
            *(("--var-file", str(one)) for one in self.variable_files),
            *([("--date", f"{self.date:%Y-%m-%d}")] if self.date else []),
        )
        return tuple(word for option in given for word in option)


class Connection(NamedTuple):
    """The options of the connection to EMR (`options.CONNECTION`). None: the spec's target decides, else boto3."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None


def render_spec(spec: Path | Document, rendering: Rendering, *, placeholders: bool = False) -> Document:
    """Loads and renders a spec as the options say, with `placeholders` for secrets that are not given."""
    from flowspec.document.rendering.render import render
    from flowspec.document.text.parse import load

    return render(
        load(spec) if isinstance(spec, Path) else spec,
        target=rendering.target,
        variables=pairs_of(rendering.assignments),
        variable_files=rendering.variable_files,
        now=rendering.now,
        placeholders=placeholders,
    )


def job_flow(
    spec: Path | Document,
    rendering: Rendering,
    connection: Connection,
    *,
    staging: str | None = None,
    placeholders: bool = False,
    emr_rules: bool = True,
) -> JobFlow:
    """Loads, renders and validates a spec; `connection` and `staging` override its target's.

    `emr_rules` is that of `validate`. Raises SpecError with all that is wrong with the spec and the local files that it
    names, click.UsageError for an option that means nothing to the target's backend.
    """
    from flowspec.request.compile import validate_with_files

    given = {name: value for name, value in {**connection._asdict(), "staging": staging}.items() if value}
    document = render_spec(spec, rendering, placeholders=placeholders)
    flow = validate_with_files(document, emr_rules=emr_rules, **given)
    _refuse_unused(flow.backend, flow.target, connection)
    return replace(flow, **given, options=rendering.words(document))


class Identity(NamedTuple):
    """The names and the endpoint by which a flow's clusters are found.

    `name` is the clusters' Name; it differs from `flow` only if `api_params` sets it. `named_by` are the words by which
    a command line names the flow.
    """

    flow: str
    target: str
    name: str
    endpoint: Endpoint
    secrets: frozenset[str]
    named_by: tuple[str, ...]


def identity(spec: Path, rendering: Rendering, connection: Connection) -> Identity:
    """Reads from a spec what identifies its flow; the rest of it may be invalid, and variables may be missing."""
    from flowspec.backend.aws.client import Endpoint
    from flowspec.document.checking.validate import validate
    from flowspec.document.text.tree import Scalar

    document = render_spec(spec, rendering)

    def field(*path: str) -> Any:
        node = document.find(path)
        return node.value if isinstance(node, Scalar) and not node.failed else None

    undecided = document.declared is not None and document.declared.get("targets") and not document.target
    if undecided or not isinstance(field("name"), str):
        validate(document)  # raises SpecError with what is wrong
    backend: BackendName = field("backend") or DEFAULT_BACKEND
    _refuse_unused(backend, document.target, connection)
    endpoint = Endpoint(backend, **{name: value or field(name) for name, value in connection._asdict().items()})
    name = field("api_params", "Name") or field("name")
    target = ("--target", document.target) if document.target else ()
    named_by = (str(spec), *target, *rendering.words(document))
    return Identity(field("name"), document.target, name, endpoint, document.secrets, named_by)


def _refuse_unused(backend: BackendName, target: str, connection: Connection) -> None:
    """Raises click.UsageError for an option that the target's backend has no use for."""
    used = TRAITS[backend].connection_settings
    for name in ("endpoint_url", "profile"):
        if getattr(connection, name) and name not in used:
            option = f"--{name.replace('_', '-')}"
            runs = f"target '{target}' runs: choose another with --target" if target else "this spec runs"
            raise click.UsageError(f"{option} has no effect on this machine, where {runs}")


def pairs_of(assignments: tuple[str, ...]) -> dict[str, str]:
    """Returns the values of `--var NAME=VALUE` by name. Raises click.BadParameter for one without a `=`."""
    pairs = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise click.BadParameter(f"{assignment!r} has no '=': write --var {assignment}=VALUE", param_hint="--var")
        pairs[name] = value
    return pairs
