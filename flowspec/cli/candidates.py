"""Candidates for shell completion: specs, targets, variables, steps, clusters, words that `explain` knows.

They are `shell_complete` callbacks of click's parameters. None of them raises: what can't be read gives no candidates.
Values that could be secrets are left out, and so are those with control characters, which a terminal would act on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from flowspec.document.discovery import SPEC_SUFFIXES
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.document.text.tree import Document
    from flowspec.emulator.state.store import Record

Words: TypeAlias = "Callable[[click.Context, str], Iterable[str]]"
Completer: TypeAlias = "Callable[[click.Context, click.Parameter, str], list[CompletionItem[Any]]]"

# The newest clusters of the home; more than a screen helps nobody.
_CLUSTERS = 50


def _completer(words: Words) -> Completer:
    """Makes click's callback of a function that yields words: those that begin as what is typed, each once."""

    @wraps(words)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        try:
            found = dict.fromkeys(words(context, incomplete))
        except (FlowspecError, OSError, ValueError):
            return []
        return [CompletionItem(one) for one in found if one.startswith(incomplete) and one.isprintable()]

    return complete


def _specs(__: click.Context, incomplete: str) -> Iterator[str]:
    """Yields YAML files, and folders with a `/` behind them."""
    above, slash, start = incomplete.rpartition("/")
    prefix = above + slash
    with os.scandir(Path(prefix).expanduser()) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.name.startswith(".") and not start.startswith("."):
                continue
            if entry.is_dir():
                yield f"{prefix}{entry.name}/"
            elif entry.name.endswith(SPEC_SUFFIXES):
                yield prefix + entry.name


def _specs_and_clusters(context: click.Context, incomplete: str) -> Iterator[str]:
    """Yields specs, and the names and ids of the embedded EMR's clusters, the newest first."""
    yield from _specs(context, incomplete)
    for cluster in _clusters():
        if not _has_secrets(cluster):
            yield cluster.doc["request"]["Name"]
        yield cluster.id


def _targets(context: click.Context, _: str) -> Iterable[str]:
    from flowspec.document.rendering.extends import target_names

    spec = _spec_of(context)
    return target_names(spec) if spec else ()


def _variables(context: click.Context, _: str) -> Iterator[str]:
    from flowspec.document.rendering.extends import merge_bases
    from flowspec.document.text.parse import load
    from flowspec.document.text.tree import Mapping

    spec = _spec_of(context)
    declared = merge_bases(load(spec)).root.get("variables") if spec else None
    if isinstance(declared, Mapping):
        yield from (f"{name}=" for name in declared.entries)


def _steps(context: click.Context, _: str) -> Iterator[str]:
    """Yields the names of a spec's steps, or the ids and names of a cluster's of the embedded EMR."""
    spec = _spec_of(context)
    if spec is not None:
        yield from _steps_of_spec(spec, context)
        return
    for cluster in _clusters():
        if not {cluster.id, cluster.doc["request"]["Name"]}.isdisjoint(context.obj):
            for step in _records("step", cluster_id=cluster.id):
                yield step.id
                if not _has_secrets(cluster):
                    yield step.doc["request"]["Name"]


def _rerun_choices(context: click.Context, incomplete: str) -> Iterator[str]:
    yield "failed"
    yield from _steps(context, incomplete)


def _explainable(__: click.Context, incomplete: str) -> Iterator[str]:
    """Yields the ids of findings, the pages, and the fields below what is typed up to its last dot."""
    from flowspec.document.catalog import CATALOG
    from flowspec.document.checking.fields import UnknownFieldError, field_names
    from flowspec.document.pages import PAGES

    above, dot, _ = incomplete.rpartition(".")
    try:
        yield from (f"{above}{dot}{name}" for name in field_names(above))
    except UnknownFieldError:
        return
    if not above:
        yield from (*PAGES, *CATALOG)


def _steps_of_spec(spec: Path, context: click.Context) -> Iterator[str]:
    from flowspec.document.text.tree import Items, Mapping, Scalar

    document = _render_or_load(spec, context)
    steps = document.root.get("steps")
    for step in steps.items if isinstance(steps, Items) else ():
        name = step.get("name") if isinstance(step, Mapping) else None
        if isinstance(name, Scalar) and "{{" not in name.text and not _quotes_secret(name.text, document):
            yield name.text


def _render_or_load(spec: Path, context: click.Context) -> Document:
    """Returns the spec for its target; as it is written where variables are missing."""
    from flowspec.cli.specs import Rendering, render_spec
    from flowspec.document.text.parse import load

    rendering = Rendering(context.params.get("target"), context.params.get("assignments") or ())
    try:
        return render_spec(spec, rendering, placeholders=True)
    except (FlowspecError, click.ClickException):
        return load(spec)


def _quotes_secret(text: str, document: Document) -> bool:
    return any(secret in text for secret in document.secrets if secret)


def _spec_of(context: click.Context) -> Path | None:
    """Returns the first spec among the words that are typed already; None where there is none.

    The context has the words themselves (`obj`): click parses no argument where an option still lacks its value.
    """
    pairs = zip(["", *context.obj], context.obj, strict=False)
    paths = (Path(word).expanduser() for before, word in pairs if before != "--var-file")
    return next((path for path in paths if path.suffix in SPEC_SUFFIXES and path.is_file()), None)


def _clusters() -> list[Record]:
    return _records("cluster", newest_first=True, limit=_CLUSTERS)


def _records(kind: str, **conditions: Any) -> list[Record]:
    """Reads records of the home, which is neither made nor changed."""
    from flowspec.emulator.state.store import Store
    from flowspec.facts.folders import state_folder

    with Store(state_folder(), copy=True) as store:
        return store.find(kind, **conditions)


def _has_secrets(cluster: Record) -> bool:
    from flowspec.plan.cluster import SENSITIVE_TAG

    return any(tag.get("Key") == SENSITIVE_TAG for tag in cluster.doc["request"].get("Tags", ()))


specs, specs_and_clusters = _completer(_specs), _completer(_specs_and_clusters)
cluster_ids = _completer(lambda *_: (cluster.id for cluster in _clusters()))
targets, variables = _completer(_targets), _completer(_variables)
steps, rerun_choices, explainable = _completer(_steps), _completer(_rerun_choices), _completer(_explainable)
