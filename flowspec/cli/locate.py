"""WHAT -> a cluster: people name a run by its spec, by a cluster's id, or by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.options import CONNECTION, VARIABLES, Identity, identity, together
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.plan.cluster import Cluster

BACKEND = click.option(
    "--backend",
    type=click.Choice(["local", "emr"]),
    help="Where to look for an id or a name; default: emr with --region, --profile or --endpoint-url, else local.",
)
_ID = re.compile(r"j-[0-9A-Z]+")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A cluster, the connection it is reached by, and what must not be shown of it.

    `others` are further active clusters of the same flow; there should be none.
    """

    emr: Emr
    cluster_id: str
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    others: tuple[str, ...] = ()


CHOOSING = together(click.argument("what", metavar="WHAT"), VARIABLES, CONNECTION, BACKEND)


def choose(what: str, *, backend: str | None, **options: Any) -> Chosen:
    """The cluster that is meant. Raises FlowspecError when there is none, or more than one of that name."""
    from flowspec.backend.aws.client import connect

    if _is_spec(what):
        who = identity(Path(what), **options)
        emr = connect(who.endpoint)
        first, *others = _latest(emr, who)
        return Chosen(emr, first, who.secrets, tuple(others))
    emr = connect(bare_endpoint(backend, **options))
    return Chosen(emr, what if _ID.fullmatch(what) else _by_name(emr, what))


def bare_endpoint(backend: str | None, **options: Any) -> Endpoint:
    """The EMR that is meant where no spec says it."""
    from flowspec.backend.aws.client import Endpoint

    region, profile, url = options.get("region"), options.get("profile"), options.get("endpoint_url")
    return Endpoint(backend or ("emr" if region or profile or url else "local"), region, profile, url)


def _is_spec(what: str) -> bool:
    return Path(what).suffix in {".yaml", ".yml"} or Path(what).is_file()


def _latest(emr: Emr, who: Identity) -> list[str]:
    """The flow's active clusters (the earliest first, as for a plan), else the one that ended last."""
    from flowspec.backend.aws.observe import find
    from flowspec.plan.cluster import RIVAL_TAG

    active = find(emr, who.flow, who.target, name=who.name)
    if active:
        return [one.id for one in active]
    found = find(emr, who.flow, who.target, name=who.name, ended=True)
    ended = [one.id for one in found if RIVAL_TAG not in one.tags]
    if not ended:
        where = f" on target {who.target}" if who.target else ""
        raise FlowspecError(f"flow {who.flow} was never run{where}", remedy="`flowspec apply` runs it")
    return ended[-1:]


def _by_name(emr: Emr, name: str) -> str:
    """The one active cluster of that name, else the one that ended last."""
    from flowspec.backend.aws.observe import summaries
    from flowspec.plan.cluster import age

    found: list[Cluster] = sorted((one for one in summaries(emr, ended=True) if one.name == name), key=age)
    active = [one for one in found if not one.has_ended]
    if len(active) > 1:
        ids = ", ".join(one.id for one in active)
        raise FlowspecError(f"{len(active)} clusters are called {name}: {ids}", remedy="name one by its id")
    if not found:
        raise FlowspecError(f"no cluster is called {name!r}", remedy="`flowspec list --all` shows those there are")
    return (active or found)[-1].id
