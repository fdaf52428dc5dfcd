"""Reads a git repository offline: no hook, external diff, file-system monitor or transport is run.

Every call is one `git` process with a fixed configuration. File names are exchanged between NULs, so that any name
is read as it is; one that is not UTF-8 has its odd bytes as surrogates (`os.fsdecode`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowspec.errors import FlowspecError

# git-config(1): a repository's own configuration may name programs for all of these.
_SAFE = (
    "--no-optional-locks",
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "diff.external=",
    # A partial clone would fetch what it lacks.
    "-c",
    "protocol.allow=never",
)
# git sets these for its hooks, for another repository than the one that is asked for here.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_ENVIRONMENT = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a working tree, whose top folder is `root` (absolute, without links)."""

    root: Path

    def commit(self, reference: str) -> str:
        """Returns the id of the commit that a branch, tag or id names. Raises FlowspecError when there is none."""
        found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        if found is None:
            raise FlowspecError(
                f"there is no commit '{reference}' in {self.root}",
                remedy=self._fetching(f"git fetch origin {reference}"),
            )
        return found.strip()

    def merge_base(self, reference: str, head: str = "HEAD") -> str:
        """Returns the id of the commit from which `reference` and `head` went apart. Raises FlowspecError."""
        ours, theirs = self.commit(head), self.commit(reference)
        found = self._ask("merge-base", theirs, ours)
        if found is None:
            raise FlowspecError(
                f"'{reference}' and {head} have no commit in common in {self.root}",
                remedy=self._fetching("compare with a branch of the same history"),
            )
        return found.strip()

    def changed_paths(self, since: str) -> tuple[str, ...]:
        """Returns the files that differ between a commit and the working tree, from `root`, sorted.

        They are those that were changed, added, removed or renamed (under both names) by commits or without, and
        untracked ones that no .gitignore names. A submodule is one path. Raises FlowspecError.
        """
        differing = self._names(
            "diff", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", since
        )
        untracked = self._names("ls-files", "--others", "--exclude-standard")
        return tuple(sorted({*differing, *untracked}))

    def _fetching(self, otherwise: str) -> str:
        shallow = (self._ask("rev-parse", "--is-shallow-repository") or "").strip() == "true"
        return "the clone is shallow: git fetch --unshallow, or fetch-depth: 0 in CI" if shallow else otherwise

    def _names(self, command: str, *options: str) -> Iterator[str]:
        done = _git(self.root, command, "-z", *options)
        if done.returncode:
            raise _failed(done)
        return (os.fsdecode(name) for name in done.stdout.split(b"\0") if name)

    def _ask(self, *words: str) -> str | None:
        done = _git(self.root, *words)
        return None if done.returncode else os.fsdecode(done.stdout)


def repository_of(path: Path) -> Repository:
    """Returns the repository that a file or folder is in. Raises FlowspecError when it is in none."""
    folder = path if path.is_dir() else path.parent
    done = _git(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise _failed(done)
    return Repository(Path(os.path.realpath(os.fsdecode(done.stdout.removesuffix(b"\n")))))


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("git")
    if program is None:
        raise FlowspecError("there is no git on PATH", remedy="install git; it reads the repository")
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    return subprocess.run(
        [program, "-C", str(folder), *_SAFE, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**own, **_ENVIRONMENT},
    )


def _failed(done: subprocess.CompletedProcess[bytes]) -> FlowspecError:
    first, _, rest = done.stderr.decode("utf-8", "replace").strip().partition("\n")
    remedy = rest.strip() or "the repository is read by git, which has to accept it"
    return FlowspecError(f"git: {first.removeprefix('fatal: ')}", remedy=remedy)
