"""Finds the clusters of flows whose specs are no longer in a folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.manage.inventory import list_clusters
from flowspec.errors import FlowspecError
from flowspec.facts.limits import TAG_VALUE
from flowspec.facts.states import OPEN
from flowspec.plan.cluster import FLOW_TAG, SOURCE_TAG, TARGET_TAG, Cluster

_COMMIT = re.compile(r"@([0-9a-f]{7,40})$")


@dataclass(frozen=True, slots=True)
class Orphans:
    """Active clusters whose specs, below a folder, no longer exist.

    `unknown` are clusters with such a path for which it is not known whether they belong to this repository.
    """

    clusters: tuple[Cluster, ...]
    unknown: tuple[Cluster, ...]


def find_orphans(emr: Emr, folder: Path, specs: Collection[Path], *, target: str | None = None) -> Orphans:
    """Finds the active clusters of flowspec whose spec was below `folder` and is not one of `specs`.

    Where a cluster came from is in its tag `flowspec:source`: path@commit in git. The path is relative to the
    repository, and other repositories may have the same folder, so a cluster belongs to this repository only if the
    repository has its commit. Outside of git only the path is known, which is enough only for clusters on this machine.
    With `target`, only clusters of that target are found. Sends ListClusters once for 50 active clusters and
    DescribeCluster for each. Raises FlowspecError on AWS for a folder outside of git.
    """
    repository = _repository(folder)
    if repository is None and emr.endpoint.traits.on_aws:
        raise FlowspecError(
            f"{folder} is in no git repository: clusters of other folders with the same path can't be told apart",
            remedy="prune from a clone of the repository, or end clusters by their ids: flowspec destroy ID",
        )
    there = {place for path in specs for place in _possible_tag_paths(path, repository)}
    below = _path_in_tag(folder.resolve(), repository)
    tags = {FLOW_TAG: None, SOURCE_TAG: None} | ({TARGET_TAG: target} if target else {})
    gone: list[Cluster] = []
    unknown: list[Cluster] = []
    for cluster in list_clusters(emr, states=list(OPEN), tags=tags).clusters:
        source = cluster.tags[SOURCE_TAG]
        path = PurePosixPath(_COMMIT.sub("", source))
        if repository is None:
            path = PurePosixPath(Path(path).parent.resolve() / path.name)
        # If the source is longer, the tag contains its end.
        if len(source) >= TAG_VALUE.most or below not in path.parents or path in there:
            continue
        (gone if _is_from_repository(repository, source) else unknown).append(cluster)
    return Orphans(tuple(gone), tuple(unknown))


def _repository(folder: Path) -> Path | None:
    """Returns the top folder of the git repository of a folder; None outside of git, or before its first commit."""
    if not _git(folder, "rev-parse", "--verify", "HEAD"):
        return None
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top).resolve() if top else None


def _possible_tag_paths(spec: Path, repository: Path | None) -> Iterator[PurePosixPath]:
    """Yields the paths that a tag may have for a spec: its own path and, for a link, the two paths that it leads to."""
    file = spec.resolve()
    for path in (spec.parent.resolve() / spec.name, file.parent / spec.name, file):
        yield _path_in_tag(path, repository)


def _path_in_tag(path: Path, repository: Path | None) -> PurePosixPath:
    """Returns a path as the tag has it: relative to the repository or, without one, absolute."""
    inside = repository is not None and path.is_relative_to(repository)
    return PurePosixPath(path.relative_to(repository) if inside and repository else path)


def _is_from_repository(repository: Path | None, source: str) -> bool:
    """Returns True if a source belongs to this repository: it names a commit that exists here, or there is no git."""
    commit = _COMMIT.search(source)
    if repository is None or commit is None:
        return repository is None and commit is None
    return _git(repository, "cat-file", "-t", commit[1]) == "commit"


def _git(folder: Path, *words: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()
