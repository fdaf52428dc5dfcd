"""Ends the clusters that have no worker to end them."""

from __future__ import annotations

from pathlib import Path

from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Store
from flowspec.facts import states


def fail_unstarted(home: Path, cluster_id: str, error: OSError) -> None:
    """Ends a cluster whose worker could not be started."""
    with Store(home) as store:
        fail_cluster(store, cluster_id, f"the worker process could not be started: {error}")


def fail_cluster(store: Store, cluster_id: str, why: str) -> None:
    """Ends a cluster that has not ended, as TERMINATED_WITH_ERRORS with this reason."""
    with store.writing():
        cluster = store.get("cluster", cluster_id)
        if cluster is not None and cluster.state in states.ALIVE:
            lifecycle.fail(store, cluster, "INTERNAL_ERROR", why)
