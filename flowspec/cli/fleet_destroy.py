"""`flowspec destroy` of many specs, ids and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flowspec.cli import print_error
from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.fleet import message_of, print_rows, work_on_flows
from flowspec.cli.locate import Chosen, Looking, choose, is_spec, not_started
from flowspec.cli.output import eprint, label_lines
from flowspec.cli.selection import Fleet, is_folder_or_glob, selected_specs
from flowspec.cli.specs import Rendering, identity
from flowspec.errors import NotStarted, number_of
from flowspec.report.fleets import Row

if TYPE_CHECKING:
    from flowspec.backend.aws.watch import Watch
    from flowspec.fleet import Connections, Sleep
    from flowspec.plan.cluster import Cluster


class _Termination(NamedTuple):
    """A cluster to terminate, and the row of its report as far as it is known."""

    chosen: Chosen
    cluster: Cluster
    row: Row


def destroy_many(
    whats: Sequence[str], fleet: Fleet, looking: Looking, *, yes: bool, detach: bool, unprotect: bool, format_: str
) -> Exit:
    """Terminates the clusters of many specs, and those that ids and names mean; asks once for all of them.

    A flow that does not run is none to fail for. Where nobody can be asked, --yes is needed.
    """
    from flowspec.backend.aws.shared import SharedWatch
    from flowspec.cli.termination import describe_loss
    from flowspec.fleet import Connections

    connections = Connections()
    found: list[_Termination | Row] = []
    for what in _expand_folders(whats, fleet.selects, looking):
        found += _find_clusters(what, connections, looking)
    rows = [one for one in found if isinstance(one, Row)]
    # Two arguments may mean the same cluster.
    doomed = list({one.cluster.id: one for one in found if isinstance(one, _Termination)}.values())
    for one in doomed:
        eprint(f"{one.row.flow}: cluster {describe_loss(one.cluster)}")
    if doomed:
        confirm(f"Terminate {number_of(len(doomed), 'cluster')}?", yes=yes, unasked=False)
    with SharedWatch() as watching:
        ending = partial(_terminate, detach=detach, unprotect=unprotect, watch=watching.watch)
        ended, _ = work_on_flows(ending, doomed, fleet.jobs)
    known = {row.cluster for row in ended}
    left = [
        _row(one, "not begun, or not waited for: interrupted", Exit.INTERRUPTED)
        for one in doomed
        if one.cluster.id not in known
    ]
    return print_rows(sorted([*rows, *ended, *left], key=lambda row: row.spec), format_, "flowspec destroy")


def _expand_folders(whats: Sequence[str], selects: Sequence[str], looking: Looking) -> list[str]:
    """Returns the arguments, with the specs for each folder and glob; of specs those that `--select` chooses."""
    found: dict[str, None] = {}
    for what in whats:
        if is_folder_or_glob(Path(what)) or (selects and is_spec(what)):
            found.update(dict.fromkeys(map(str, selected_specs([Path(what)], selects, looking.rendering))))
        else:
            found[what] = None
    return list(found)


def _find_clusters(what: str, connections: Connections, looking: Looking) -> Iterator[_Termination | Row]:
    """Yields the active clusters that an argument means, or a row that says why there is none to end."""
    try:
        found = list(
            _clusters_of_spec(Path(what), connections, looking) if is_spec(what) else _cluster_named(what, looking)
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are ended
        yield Row(what, "", "", message_of(error), print_error(error))
        return
    yield from found


def _clusters_of_spec(spec: Path, connections: Connections, looking: Looking) -> Iterator[_Termination | Row]:
    from flowspec.backend.aws.observe import describe, find_active, find_last

    who = identity(spec, looking.rendering, looking.connection)
    emr, shared, _ = connections.of(who.endpoint)
    row = Row(str(spec), who.flow, who.target, "not running", Exit.OK)
    active = find_active(shared, who.flow, who.target, name=who.name)
    # With their steps, which are lost.
    yield from (_Termination(Chosen(emr, one.id, who.secrets), describe(shared, one.id), row) for one in active)
    if not active:
        error = not_started(shared, who)
        # The past is looked at only then: for that all ended clusters of an account are listed.
        if not (isinstance(error, NotStarted) or find_last(shared, who.flow, who.target, name=who.name)):
            raise error
        yield row


def _cluster_named(what: str, looking: Looking) -> Iterator[_Termination | Row]:
    from flowspec.backend.aws.observe import describe
    from flowspec.plan.cluster import FLOW_TAG, TARGET_TAG

    # The other options are for the specs among the arguments.
    chosen = choose(what, looking._replace(rendering=Rendering()), ours=True)
    cluster = describe(chosen.emr, chosen.cluster_id)
    flow, target = cluster.tags.get(FLOW_TAG, cluster.name), cluster.tags.get(TARGET_TAG, "")
    row = Row(what, flow, target, f"is {cluster.state}", Exit.OK, cluster.id)
    yield row if cluster.has_ended else _Termination(chosen, cluster, row)


def _terminate(one: _Termination, sleep: Sleep, *, detach: bool, unprotect: bool, watch: Watch) -> Row:
    from flowspec.cli.termination import leftovers_of, terminate

    with label_lines(one.row.flow):
        try:
            cluster = terminate(one.chosen, one.cluster, detach=detach, unprotect=unprotect, sleep=sleep, watch=watch)
            for left in leftovers_of(one.chosen, cluster):
                eprint(f"stays: {left.kind} {left.name}", secrets=one.chosen.secrets)
            return _row(one, f"ended {one.cluster.id}: {cluster.state}", Exit.OK)
        except KeyboardInterrupt:
            return _row(one, f"ended {one.cluster.id}: not waited for, interrupted", Exit.INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are ended
            return _row(one, message_of(error), print_error(error))


def _row(one: _Termination, result: str, code: Exit) -> Row:
    return replace(one.row, result=result, exit=code, cluster=one.cluster.id)
