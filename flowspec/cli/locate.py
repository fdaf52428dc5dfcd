"""WHAT -> a cluster: people name a run by its spec, by a cluster's id, or by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.options import CONNECTION, VARIABLES, Command, endpoint, job_flow
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
    """A cluster, and the connection it is reached by."""

    emr: Emr
    cluster_id: str


def CHOOSING(command: Command) -> Command:  # noqa: N802 - a decorator like its neighbours in options
    """WHAT, and all options that say where to look for it."""
    return click.argument("what", metavar="WHAT")(VARIABLES(CONNECTION(BACKEND(command))))


def choose(what: str, *, backend: str | None, **options: Any) -> Chosen:
    """The cluster that is meant. Raises FlowspecError when there is none, or more than one of that name."""
    from flowspec.emr.client import connect

    if _is_spec(what):
        flow = job_flow(Path(what), **options)
        emr = connect(endpoint(flow))
        return Chosen(emr, _latest(emr, flow.name, flow.target))
    emr = connect(bare_endpoint(backend, **options))
    return Chosen(emr, what if _ID.fullmatch(what) else _by_name(emr, what))


def bare_endpoint(backend: str | None, **options: Any) -> Endpoint:
    """The EMR that is meant where no spec says it."""
    from flowspec.emr.client import Endpoint

    region, profile, url = options.get("region"), options.get("profile"), options.get("endpoint_url")
    return Endpoint(backend or ("emr" if region or profile or url else "local"), region, profile, url)


def _is_spec(what: str) -> bool:
    return Path(what).suffix in {".yaml", ".yml"} or Path(what).is_file()


def _latest(emr: Emr, flow: str, target: str) -> str:
    from flowspec.emr.observe import find

    found = find(emr, flow, target) or find(emr, flow, target, ended=True)
    if not found:
        where = f" on target {target}" if target else ""
        raise FlowspecError(f"flow {flow} was never run{where}", remedy="`flowspec apply` runs it")
    return found[-1].id


def _by_name(emr: Emr, name: str) -> str:
    from flowspec.emr.observe import summaries

    found: list[Cluster] = [one for one in summaries(emr, ended=False) if one.name == name]
    found = found or [one for one in summaries(emr, ended=True) if one.name == name]
    if len(found) == 1:
        return found[0].id
    if found:
        ids = ", ".join(one.id for one in found)
        raise FlowspecError(f"{len(found)} clusters are called {name}: {ids}", remedy="name one by its id")
    raise FlowspecError(f"no cluster is called {name}", remedy="`flowspec list --all` shows those there are")
