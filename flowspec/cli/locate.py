"""WHAT -> a cluster: a run is named by its spec, by its cluster's id, or by its cluster's name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from flowspec.cli.options import (
    CONNECTION,
    CONNECTION_WITHOUT_SPEC,
    VARIABLES,
    Choice,
    Name,
    complete_with,
    compose_options,
    gather,
)
from flowspec.cli.output import ewarn, mask_from_now_on
from flowspec.cli.specs import Connection, Identity, Rendering, identity
from flowspec.document.discovery import SPEC_SUFFIXES
from flowspec.errors import FlowspecError, NothingFound, NotStarted
from flowspec.facts.backends import BACKENDS, BackendName
from flowspec.facts.ids import CLUSTER_ID, STEP_ID

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.plan.cluster import Cluster, Step

BACKEND = click.option(
    "--backend",
    type=Choice(BACKENDS),
    help="Where to look for clusters; default: emr with --region, --profile or --endpoint-url, else local.",
)
_BY_ID = "name one by its id"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A cluster, the connection it is reached by, and what must not be shown of it.

    `others` are further active clusters of the same flow; there should be none. `steps` are the ids of the steps
    to watch, None for all; `failed` those that had failed before, and count for the verdict, too.
    """

    emr: Emr
    cluster_id: str
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    others: tuple[str, ...] = ()
    steps: tuple[str, ...] | None = None
    failed: tuple[str, ...] = ()


def read_settled_cluster(chosen: Chosen, wanted: str | None = None) -> Cluster:
    """Reads a cluster, its steps as its policies count them (`settle_on`); prints a note on what can't be known.

    If the id of a step is `wanted`, the step is there, too, where EMR no longer lists it.
    """
    from flowspec.backend.aws.observe import describe, describe_step
    from flowspec.backend.aws.runs.settle import settle_on
    from flowspec.plan.steps import history_is_cut

    cluster = describe(chosen.emr, chosen.cluster_id)
    is_listed = any(wanted == one.id for one in cluster.steps)
    if wanted and STEP_ID.fullmatch(wanted) and history_is_cut(cluster) and not is_listed:
        # A step's name may have the form of an id.
        with suppress(NothingFound):
            earlier = describe_step(chosen.emr, cluster.id, wanted)
            cluster = replace(cluster, steps=(earlier, *cluster.steps))
    return settle_on(chosen.emr, cluster, lambda text: ewarn(f"note: {text}", secrets=chosen.secrets))


class Looking(NamedTuple):
    """The options that say where to look for a cluster; `rendering` is for a spec that names it."""

    rendering: Rendering = Rendering()
    connection: Connection = Connection()
    backend: BackendName | None = None


LOOKING = gather(Looking, VARIABLES, CONNECTION, BACKEND)
LOOKING_WITHOUT_SPEC = gather(Looking, CONNECTION_WITHOUT_SPEC, BACKEND)
CHOOSING = compose_options(
    click.argument("what", type=Name(), metavar="WHAT", shell_complete=complete_with("specs_and_clusters")), LOOKING
)


def choose(what: str, looking: Looking, *, ours: bool = False, endpoint: Endpoint | None = None) -> Chosen:
    """Finds the cluster that WHAT names.

    Raises NothingFound when an id or name is that of none, or a name that of several; NotStarted when the flow of a
    spec has no cluster; FlowspecError when there is only one of that name which is not `ours`.

    With `ours`, a name means clusters that flowspec made: only by its id is another's cluster chosen. `endpoint` is
    where an id or name is looked for when no option says where.
    """
    from flowspec.backend.aws.client import connect

    if is_spec(what):
        who = identity(Path(what), looking.rendering, looking.connection)
        _refuse_other_backend(who, looking.backend)
        emr = connect(who.endpoint)
        first, *others = _find_latest(emr, who)
        return Chosen(emr, first, who.secrets | _secrets_of(emr, first), tuple(others))
    _refuse_target(what, looking.rendering.target)
    is_given = looking.backend or any(looking.connection)
    emr = connect(bare_endpoint(looking.backend, looking.connection) if is_given or endpoint is None else endpoint)
    cluster_id = what if CLUSTER_ID.fullmatch(what) else _find_by_name(emr, what, ours=ours)
    return Chosen(emr, cluster_id, _secrets_of(emr, cluster_id))


def _refuse_other_backend(who: Identity, backend: BackendName | None) -> None:
    if backend and backend != who.endpoint.backend:
        where = f"target '{who.target}' of the spec" if who.target else "the spec"
        raise click.UsageError(
            f"{where} has `backend: {who.endpoint.backend}`: leave out --backend {backend}, or choose another --target"
        )


def _refuse_target(what: str, target: str | None) -> None:
    """Raises click.UsageError for a target beside an id or name: the cluster would be looked for somewhere else."""
    if target:
        raise click.UsageError(
            f"--target is for a spec, and {what!r} is the {'id' if CLUSTER_ID.fullmatch(what) else 'name'} of a "
            "cluster: give the spec, or say where the cluster is by --region, --profile or --endpoint-url"
        )


def choose_one(what: str, looking: Looking, *, endpoint: Endpoint | None = None) -> Chosen:
    """Finds the one cluster that a command is going to change. Raises as `choose` does.

    A name means only clusters that flowspec made, and a flow with several active clusters has to be named by an id.
    """
    chosen = choose(what, looking, ours=True, endpoint=endpoint)
    if chosen.others:
        ids = ", ".join((chosen.cluster_id, *chosen.others))
        raise FlowspecError(
            f"{len(chosen.others) + 1} active clusters have the tags of this flow: {ids}", remedy=_BY_ID
        )
    return chosen


def steps_called(cluster: Cluster, wanted: str) -> list[Step]:
    """Returns the steps that have this id or name, in their order. Raises NothingFound when there is none."""
    from flowspec.document.nearest import not_found

    found = [step for step in cluster.steps if wanted in {step.id, step.name}]
    if not found:
        names = [step.name for step in cluster.steps]
        raise not_found(f"there is no step {wanted!r} in cluster {cluster.id}", wanted, names)
    return found


def _secrets_of(emr: Emr, cluster_id: str) -> frozenset[str]:
    """Returns what a cluster's own tags say is secret of it: the spec may not be here, nor its variables be given."""
    from flowspec.backend.aws.observe import describe
    from flowspec.plan.cluster import SENSITIVE_TAG
    from flowspec.plan.sensitive import known_secrets

    cluster = describe(emr, cluster_id, steps=False)
    if SENSITIVE_TAG not in cluster.tags:
        return frozenset()
    found = known_secrets(describe(emr, cluster_id))
    mask_from_now_on(found)
    return found


def bare_endpoint(backend: BackendName | None, connection: Connection) -> Endpoint:
    """Returns the endpoint for ids and names, which no spec goes with."""
    from flowspec.backend.aws.client import Endpoint

    return Endpoint(backend or ("emr" if any(connection) else "local"), **connection._asdict())


def looked_in(emr: Emr) -> str:
    """Returns where clusters were looked for; if that is this machine, also how to look on AWS."""
    from flowspec.backend.aws.command_lines import aws_hint

    hint = aws_hint(emr)
    return f"in {emr.backend.location(emr.region)}{f' ({hint})' if hint else ''}"


def is_spec(what: str) -> bool:
    """Returns True if WHAT is a file, or looks like the name of a spec."""
    return Path(what).suffix in SPEC_SUFFIXES or Path(what).is_file()


def _find_latest(emr: Emr, who: Identity) -> list[str]:
    """Returns the flow's active clusters (the earliest first, as for a plan), else the one that ends or ended last."""
    from flowspec.backend.aws.observe import find_active, find_last

    active = find_active(emr, who.flow, who.target, name=who.name)
    if active:
        return [one.id for one in active]
    last = find_last(emr, who.flow, who.target, name=who.name)
    if last is None:
        raise not_started(emr, who)
    return [last.id]


def not_started(emr: Emr, who: Identity) -> FlowspecError:
    """Returns the error for a flow without a cluster: NotStarted, unless another's cluster may be the one meant."""
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.backend.aws.observe import LOOKBACK, find_namesakes
    from flowspec.plan.cluster import FLOW_TAG, TARGET_TAG

    where = (f" on target {who.target}" if who.target else "") + f" in {emr.backend.location(emr.region)}"
    namesakes = find_namesakes(emr, who.name, flow=who.flow, target=who.target)
    # A cluster of another target of the flow, or of another flow, is none that this spec could mean.
    foreign = [one for one in namesakes if not one.tags.keys() >= {FLOW_TAG, TARGET_TAG}]
    elsewhere = [one for one in namesakes if one not in foreign and one.tags[FLOW_TAG] == who.flow]
    apply = command_line("apply", emr, *who.named_by)
    remedies = ["choose that target with --target"] if any(one.tags[TARGET_TAG] for one in elsewhere) else []
    if foreign:
        adopt = command_line("adopt", emr, foreign[0].id, *who.named_by)
        remedies += [f"`{adopt}` takes it over", f"`{apply}` starts another"]
    else:
        remedies.append(f"`{apply}` runs it")
    kind = FlowspecError if foreign else NotStarted
    return kind(
        f"flow {who.flow} is not running{where}, and was not started there in the last {LOOKBACK.days} days"
        f"{_other_targets_note(elsewhere)}{_foreign_clusters_note(foreign)}",
        remedy="; ".join([*remedies, "an older run is found by its cluster's id"]),
    )


def _other_targets_note(clusters: Sequence[Cluster]) -> str:
    """Returns the end of a sentence that names clusters of the flow's other targets; "" without any."""
    from flowspec.plan.cluster import TARGET_TAG

    places = [f"on target {target}" if (target := one.tags[TARGET_TAG]) else "without a target" for one in clusters]
    found = ", ".join(f"{where}: {one.id} ({one.state})" for where, one in zip(places, clusters, strict=True))
    return f"; it runs {found}" if found else ""


def _foreign_clusters_note(namesakes: Sequence[Cluster]) -> str:
    """Returns the end of a sentence that names clusters which are left alone; "" without any."""
    ids = ", ".join(f"{one.id} ({one.state})" for one in namesakes)
    return f"; not touched, since it has that name but not the tags of this flow: {ids}" if ids else ""


def _find_by_name(emr: Emr, name: str, *, ours: bool) -> str:
    """Returns the one active cluster of that name, else the one that ends or ended last."""
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.backend.aws.observe import active_named, describe, ended_named, ending_named
    from flowspec.plan.cluster import FLOW_TAG

    active = active_named(emr, name)
    if ours:
        found = [describe(emr, one.id, steps=False) for one in active]
        active = [one for one in found if FLOW_TAG in one.tags]
        if found and not active:
            raise FlowspecError(
                f"no cluster called {name} was made by flowspec{_foreign_clusters_note(found)}",
                remedy=f"name it by its id, or take it over with `{command_line('adopt', emr, found[0].id, 'SPEC')}`",
            )
    if len(active) > 1:
        ids = ", ".join(one.id for one in active)
        raise NothingFound(f"{len(active)} clusters are called {name}: {ids}", remedy=_BY_ID)
    last = next(iter(active or ending_named(emr, name)), None) or ended_named(emr, name)
    if last is None:
        raise _not_found(emr, name)
    return last.id


def _not_found(emr: Emr, name: str) -> NothingFound:
    """Returns the error for a name that no cluster has, with the place in which it was looked for."""
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.backend.aws.observe import LOOKBACK, describe, summaries
    from flowspec.document.nearest import nearest
    from flowspec.facts.states import OPEN
    from flowspec.plan.cluster import SENSITIVE_TAG

    if Path(name).is_dir():
        remedy = f"{name} is a folder here: name one of its specs"
    else:
        active = {one.name: one.id for one in summaries(emr, OPEN)}
        near = nearest(name, active)
        # A name may quote a secret.
        is_public = near and SENSITIVE_TAG not in describe(emr, active[near], steps=False).tags
        hint = f"did you mean {near}? " if is_public else ""
        all_clusters = command_line("list", emr, "--all")
        remedy = f"{hint}`{all_clusters}` shows all that there are; an older one is found by its id"
    return NothingFound(
        f"no cluster called {name!r} is active {looked_in(emr)}, or was started there in the last {LOOKBACK.days} days",
        remedy=remedy,
    )
