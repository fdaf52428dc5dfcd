"""Writes the files of a revision into a folder, where specs are read as from a checkout.

Unlike a checkout, this runs no filters and follows nothing: a link out of the tree, a submodule and a name that leads
out of the folder are left out, and noted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
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
        self._contents = folder / "contents"
        self._contents.mkdir()
        self.notes: list[str] = []
        self.links: set[str] = set()

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
        self._leave_out(entry.path, reason)
        return False

    def _leave_out(self, path: str, reason: str) -> None:
        note = f"{path} is left out: {reason}"
        # Most are the same in all revisions.
        if note not in self.notes:
            self.notes.append(note)

    def _write_files(self, root: Path, entries: Sequence[Entry]) -> None:
        stored = {one: self._contents / f"{one.oid}-{one.mode}" for one in entries}
        new = {path: one.oid for one, path in stored.items() if not path.exists()}
        for path, content in zip(new, self._repository.blobs([*new.values()]), strict=True):
            path.write_bytes(content)
            path.chmod(0o755 if path.name.endswith(PROGRAM) else 0o644)
        for entry, path in stored.items():
            self._put(root / entry.path, entry, partial(os.link, path))

    def _write_links(self, root: Path, entries: Sequence[Entry]) -> None:
        for entry, content in zip(entries, self._repository.blobs([one.oid for one in entries]), strict=True):
            if self._put(root / entry.path, entry, partial(os.symlink, os.fsdecode(content))):
                self.links.add(entry.path)
        # Only when all exist: a link may lead out through another one.
        for entry in entries:
            path = root / entry.path
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                path.unlink()
                self._leave_out(entry.path, "it is a link out of the repository")

    def _put(self, path: Path, entry: Entry, write: Callable[[Path], object]) -> bool:
        """Writes a file with its folders; False, with a note, where that can't be done as in a checkout."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Nothing is written through a link, or over something else of the same name.
            if os.path.lexists(path) or Path(os.path.realpath(path.parent)) != path.parent:
                raise FileExistsError
            write(path)
        except (FileExistsError, NotADirectoryError):
            reason = "the revision has something else of that name, too"
        except (OSError, ValueError) as error:
            # A name or the target of a link is too long, is empty, or has a NUL.
            reason = getattr(error, "strerror", None) or str(error)
        else:
            return True
        self._leave_out(entry.path, reason)
        return False
