"""WHAT -> a cluster: people name a run by its spec, by a cluster's id, or by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.options import CONNECTION, VARIABLES, Command, Identity, identity
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.emr.client import Emr, Endpoint
    from flowspec.plan.cluster import Cluster

BACKEND = click.option(
    "--backend",
    type=click.Choice(["local", "emr"]),
    help="Where to look for an id or a name; default: emr with --region, --profile or --endpoint-url, else local.",
)
_ID = re.compile(r"j-[0-9A-Z]+")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A cluster, the connection it is reached by, and what must not be shown of it."""

    emr: Emr
    cluster_id: str
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def CHOOSING(command: Command) -> Command:  # noqa: N802 - a decorator like its neighbours in options
    """WHAT, and all options that say where to look for it."""
    return click.argument("what", metavar="WHAT")(VARIABLES(CONNECTION(BACKEND(command))))


def choose(what: str, *, backend: str | None, **options: Any) -> Chosen:
    """The cluster that is meant. Raises FlowspecError when there is none, or more than one of that name."""
    from flowspec.emr.client import connect

    if _is_spec(what):
        who = identity(Path(what), **options)
        emr = connect(who.endpoint)
        return Chosen(emr, _latest(emr, who), who.secrets)
    emr = connect(bare_endpoint(backend, **options))
    return Chosen(emr, what if _ID.fullmatch(what) else _by_name(emr, what))


def bare_endpoint(backend: str | None, **options: Any) -> Endpoint:
    """The EMR that is meant where no spec says it."""
    from flowspec.emr.client import Endpoint

    region, profile, url = options.get("region"), options.get("profile"), options.get("endpoint_url")
    return Endpoint(backend or ("emr" if region or profile or url else "local"), region, profile, url)


def _is_spec(what: str) -> bool:
    return Path(what).suffix in {".yaml", ".yml"} or Path(what).is_file()


def others(chosen: Chosen, what: str, **options: Any) -> list[str]:
    """Further active clusters of a spec's flow than the chosen one: there should be none."""
    from flowspec.emr.observe import find

    options.pop("backend", None)
    if not _is_spec(what):
        return []
    who = identity(Path(what), **options)
    return [one.id for one in find(chosen.emr, who.flow, who.target, name=who.name) if one.id != chosen.cluster_id]


def _latest(emr: Emr, who: Identity) -> str:
    """The flow's active cluster (the earliest, as for a plan), else the one that ended last."""
    from flowspec.emr.observe import find, observe
    from flowspec.plan.cluster import RIVAL_TAG

    active = observe(emr, who.flow, who.target, name=who.name)
    if active:
        return active.id
    found = find(emr, who.flow, who.target, name=who.name, ended=True)
    ended = [one for one in found if RIVAL_TAG not in one.tags]
    if not ended:
        where = f" on target {who.target}" if who.target else ""
        raise FlowspecError(f"flow {who.flow} was never run{where}", remedy="`flowspec apply` runs it")
    return ended[-1].id


def _by_name(emr: Emr, name: str) -> str:
    """The one active cluster of that name, else the one that ended last."""
    from flowspec.emr.observe import summaries
    from flowspec.plan.cluster import age

    found: list[Cluster] = sorted((one for one in summaries(emr, ended=True) if one.name == name), key=age)
    active = [one for one in found if not one.has_ended]
    if len(active) > 1:
        ids = ", ".join(one.id for one in active)
        raise FlowspecError(f"{len(active)} clusters are called {name}: {ids}", remedy="name one by its id")
    if not found:
        raise FlowspecError(f"no cluster is called {name!r}", remedy="`flowspec list --all` shows those there are")
    return (active or found)[-1].id
