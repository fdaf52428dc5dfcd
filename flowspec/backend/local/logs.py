"""The live logs of a step on this machine."""

from __future__ import annotations

from pathlib import Path

from flowspec.backend.aws.logs import Logs, below
from flowspec.emulator.state.paths import bootstrap_folder, cluster_folder, home, step_logs
from flowspec.plan.cluster import Cluster


def live_logs(cluster: Cluster) -> Logs:
    """Returns the reader of the log files that a cluster's worker writes."""
    return _LiveLogs(cluster)


class _LiveLogs:
    live = True

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._home = cluster, home()

    def _folder(self, step_id: str) -> Path:
        return step_logs(self._home, self._cluster.id, step_id)

    def read(self, step_id: str, name: str, start: int = 0) -> bytes | None:
        path = self._folder(step_id) / name
        if not path.is_file():
            return None
        with path.open("rb") as log:
            log.seek(start if start >= 0 else max(0, path.stat().st_size + start))
            return log.read()

    def bootstrap(self, number: int, instance: str) -> bytes | None:  # noqa: ARG002 - here there is one machine
        path = bootstrap_folder(self._home, self._cluster.id, number) / "stderr"
        return path.read_bytes() if path.is_file() else None

    def where(self, step_id: str) -> str:
        return below(self._cluster, f"steps/{step_id}/") or str(self._folder(step_id))

    def folder(self) -> str:
        return below(self._cluster) or f"{cluster_folder(self._home, self._cluster.id)}/steps/"
