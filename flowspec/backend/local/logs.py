"""The live logs of a step on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flowspec.backend.aws.logs import Logs, Shipped, blocks_of_file, log_location, tail_of_file
from flowspec.emulator.state.paths import bootstrap_folder, cluster_folder, step_logs
from flowspec.plan.cluster import Cluster


def live_logs(home: Path, cluster: Cluster) -> Logs:
    """Returns the reader of the log files that a cluster's worker writes below the home of the embedded EMR."""
    return _LiveLogs(home, cluster)


class _LiveLogs:
    live = True

    def __init__(self, home: Path, cluster: Cluster) -> None:
        self._home, self._cluster = home, cluster

    def _folder(self, step_id: str) -> Path:
        return step_logs(self._home, self._cluster.id, step_id)

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        path = self._folder(step_id) / name
        return blocks_of_file(path, start) if path.is_file() else None

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        return tail_of_file(self._folder(step_id) / name, size)

    def read(self, path: str) -> Iterator[bytes] | None:
        file = self._file(path)
        return blocks_of_file(file, 0) if file and file.is_file() else None

    def list_logs(self, folder: str, most: int) -> list[Shipped]:  # noqa: ARG002 - there is no YARN here
        return []

    def uri(self, path: str) -> str:
        return str(self._file(path) or "")

    def _file(self, path: str) -> Path | None:
        """Returns the live file of a log of a step or a bootstrap action."""
        match path.split("/"):
            case ["steps", step_id, name]:
                return self._folder(step_id) / name
            case ["node", _, "bootstrap-actions", number, name]:
                return bootstrap_folder(self._home, self._cluster.id, int(number)) / name
        return None

    def step_location(self, step_id: str) -> str:
        return log_location(self._cluster, f"steps/{step_id}/") or str(self._folder(step_id))

    def folder(self) -> str:
        return log_location(self._cluster) or f"{cluster_folder(self._home, self._cluster.id)}/steps/"
