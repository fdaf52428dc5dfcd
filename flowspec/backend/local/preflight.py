"""Preflight on this machine: checks the files of a plan, and the objects in the folder that stands for S3."""

from __future__ import annotations

from pathlib import Path

from flowspec.backend.preflight_data import NotChecked, data_findings, used_data, uses_submitted
from flowspec.emulator.state import paths
from flowspec.engines.paths import FileSystems
from flowspec.engines.streaming.hadoop.globs import BadPattern, glob
from flowspec.errors import FlowspecError
from flowspec.facts.uris import is_s3
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding


class FolderStore:
    """The files of this machine, and the tree of folders that stands for S3, as a `Store`."""

    def __init__(self, home: Path) -> None:
        self._files = FileSystems(Path.cwd(), paths.s3_root(home))

    def has(self, uri: str) -> bool:
        """Returns True for S3 URIs and absolute paths; HDFS is the cluster's own, and begins empty."""
        return is_s3(uri) or uri.startswith(("/", "file:/"))

    def object_exists(self, uri: str) -> bool:
        """Returns True if anything is at a URI; if it is not a file, the step fails with its own message."""
        try:
            return self._files.locate(uri).exists()
        except (FlowspecError, OSError) as error:
            raise NotChecked(str(error)) from error

    def path_exists(self, uri: str) -> bool:
        """Returns True if a file or folder is at a URI or matches it as a glob."""
        try:
            return bool(glob(self._files.qualify(uri), self._files))
        except (FlowspecError, BadPattern, OSError) as error:
            raise NotChecked(str(error)) from error


def local_findings(plan: Plan, home: Path, region: str) -> tuple[Finding, ...]:
    """Checks the data that the steps of a plan read and write; includes bootstrap actions only if they run here."""
    uses = used_data(plan, region)
    wanted = [one for one in uses_submitted(plan, uses) if one.step is not None]
    return tuple(data_findings(plan, uses, wanted, FolderStore(home), region))
