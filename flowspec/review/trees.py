"""Writes the files of a revision into a folder, where specs are read as from a checkout.

Unlike a checkout, this runs no filters and follows nothing: a link out of the tree, a submodule and a name that leads
out of the folder are left out, and noted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from flowspec.errors import FlowspecError
from flowspec.review.git import LINK, PROGRAM, SUBMODULE, Entry, Repository

# Scripts and archives of flows are far smaller; data that lies in a repository beside them is not read.
LARGEST_FILE = 100_000_000
LARGEST_TREE = 2_000_000_000


class Trees:
    """The trees of several revisions below one folder; a file that is the same in two of them is stored once."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        self._stored: dict[tuple[str, str], Path] = {}
        self.notes: list[str] = []

    def write(self, commit: str, name: str) -> Path:
        """Writes the files of a commit below the folder `name`. Raises FlowspecError when they are too large."""
        root = self._folder / name
        # The root of a repository, out of which no path of a spec leads.
        (root / ".git").mkdir(parents=True)
        entries = [one for one in self._repository.entries(commit) if self._is_wanted(one)]
        if sum(one.size for one in entries) > LARGEST_TREE:
            raise FlowspecError(
                f"the files of {commit[:12]} have more than {LARGEST_TREE // 10**9} GB",
                remedy="keep data out of the repository of the specs",
            )
        self._write_files(root, [one for one in entries if one.mode != LINK])
        # Links last, so that nothing is written through one.
        self._write_links(root, [one for one in entries if one.mode == LINK])
        return root

    def _is_wanted(self, entry: Entry) -> bool:
        parts = PurePosixPath(entry.path).parts
        if {"..", ".git"} & {part.lower() for part in parts} or entry.path.startswith("/"):
            reason = "its name leads out of the repository"
        elif entry.mode == SUBMODULE:
            reason = "it is a submodule"
        elif entry.size > LARGEST_FILE:
            reason = f"it has more than {LARGEST_FILE // 10**6} MB"
        else:
            return True
        note = f"{entry.path} is left out: {reason}"
        if note not in self.notes:
            self.notes.append(note)
        return False

    def _write_files(self, root: Path, entries: Sequence[Entry]) -> None:
        new = [one for one in entries if (one.oid, one.mode) not in self._stored]
        for entry, content in zip(new, self._repository.blobs([one.oid for one in new]), strict=True):
            path = root / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if entry.mode == PROGRAM else 0o644)
            self._stored[entry.oid, entry.mode] = path
        for entry in entries:
            path, stored = root / entry.path, self._stored[entry.oid, entry.mode]
            if path != stored and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(stored, path)

    def _write_links(self, root: Path, entries: Sequence[Entry]) -> None:
        for entry, content in zip(entries, self._repository.blobs([one.oid for one in entries]), strict=True):
            target, path = os.fsdecode(content), root / entry.path
            reached = os.path.normpath(path.parent / target)
            if Path(target).is_absolute() or not Path(reached).is_relative_to(root):
                self.notes.append(f"{entry.path} is left out: it is a link out of the repository")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
