"""`--prune`: finds and terminates clusters whose specs were removed from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from flowspec.cli import print_error
from flowspec.cli.exits import Exit
from flowspec.cli.fleet import PlannedFleet, message_of
from flowspec.cli.locate import bare_endpoint
from flowspec.cli.output import eprint, ewarn, label_lines
from flowspec.cli.selection import selected_specs
from flowspec.document.discovery import specs_below
from flowspec.document.escaping import visible
from flowspec.plan.cluster import FLOW_TAG, SOURCE_TAG, TARGET_TAG, Cluster
from flowspec.report.fleets import Row

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.cli.run_options import Planning
    from flowspec.cli.specs import Connection, Rendering


class Orphan(NamedTuple):
    """An active cluster whose spec was removed, and the connection to it."""

    emr: Emr
    cluster: Cluster

    def row(self, result: str, code: int = Exit.OK) -> Row:
        """Returns the cluster's row in the summary table, with this result."""
        tags = self.cluster.tags
        return Row(tags[SOURCE_TAG], tags[FLOW_TAG], tags.get(TARGET_TAG, ""), result, code, self.cluster.id)


def specs_and_folders(
    paths: Sequence[Path], selects: Sequence[str], rendering: Rendering, *, prune: bool
) -> tuple[list[Path], list[Path]]:
    """Returns the specs that arguments name and, with `prune`, the folders from which specs may have been removed.

    Raises click.UsageError when `prune` is given without a folder.
    """
    folders = [path for path in paths if path.is_dir()] if prune else []
    if prune and not folders:
        raise click.UsageError("--prune needs a folder: it terminates the clusters whose specs were removed from there")
    # A folder may be empty, because its last spec was removed.
    named = [path for path in paths if path not in folders or any(specs_below(path))]
    return selected_specs(named, selects, rendering) if named else [], folders


def find_orphans(folders: Sequence[Path], planned: PlannedFleet, planning: Planning) -> list[Orphan]:
    """Finds the clusters to terminate. Prints a line for each, and for each cluster for which this is not certain."""
    from flowspec.backend.aws.manage import orphans

    kept: dict[str, Orphan] = {}
    for folder in folders:
        # All specs in the folder, not only the selected or valid ones.
        specs = list(specs_below(folder))
        for endpoint in _endpoints(planned, planning.connection):
            emr, shared, _ = planned.connections.of(endpoint)
            found = orphans.find_orphans(shared, folder, specs, target=planning.rendering.target)
            for one in found.unknown:
                ewarn(f"note: left alone, since its commit is not in this repository: {_describe_cluster(one)}")
            for one in found.clusters:
                if one.id not in kept:
                    kept[one.id] = Orphan(emr, one)
                    eprint(f"its spec is gone: {_describe_cluster(one)}")
    return list(kept.values())


def _endpoints(planned: PlannedFleet, connection: Connection) -> list[Endpoint]:
    """Returns the endpoints of the flows; without flows, the endpoint that the options name."""
    found = [one.emr.endpoint for one in planned.plans if one.emr]
    return list(dict.fromkeys(found)) or [bare_endpoint(None, connection)]


def _describe_cluster(cluster: Cluster) -> str:
    from flowspec.plan.sensitive import without_secrets

    cluster = without_secrets(cluster)
    name, source = visible(cluster.name), visible(cluster.tags[SOURCE_TAG])
    return f"cluster {cluster.id} ({name}, {cluster.state}), started from {source}"


def terminate_orphan(one: Orphan, sleep: Callable[[float], None]) -> Row:  # noqa: ARG001 - termination is not waited for
    """Terminates a cluster; returns its row."""
    from flowspec.cli.termination import request_termination

    with label_lines(one.cluster.tags[FLOW_TAG]):
        try:
            request_termination(one.emr, one.cluster)
        except Exception as error:  # noqa: BLE001 - after any error, the other clusters are still terminated
            return one.row(f"not pruned: {message_of(error)}", print_error(error))
        return one.row(f"pruned {one.cluster.id}")
