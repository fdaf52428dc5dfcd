"""Reads a git repository by git's plumbing commands.

The repository may come from a stranger, so nothing that it configures is run: no hooks, filters, external diffs or text
conversions (the commands used here don't support them). No object is fetched. Names are bytes between NULs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flowspec.errors import FlowspecError, NothingFound

# If a partial clone fetched missing objects, git would run the transport that the clone's configuration names.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    # A commit is found by its id, and not replaced by refs/replace.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
# A folder of a checkout may be a bare repository, with a configuration from the branch.
_OPTIONS = (
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "--no-pager",
    "--literal-pathspecs",
)

# Modes of entries (gitformat-index).
PROGRAM, LINK, SUBMODULE = "100755", "120000", "160000"

# A branch, a tag or a commit, which a remote may have: not `HEAD~1`, nor `origin/` of a variable of CI that is not set.
_NAME = re.compile(r"\w([\w./-]*\w)?")

_COMPLETE = "clone it without --filter, or: git fetch --refetch --no-filter"


class Entry(NamedTuple):
    """A file of a revision: its mode (`100644`, or one of those above), object, size in bytes and path."""

    mode: str
    oid: str
    size: int
    path: str


@dataclass(frozen=True)
class Repository:
    """A git repository with its working tree at `root`."""

    root: Path

    @classmethod
    def containing(cls, folder: Path) -> Repository:
        """Returns the repository that a folder is in. Raises FlowspecError when there is none, or no git."""
        try:
            top = _git(folder, "rev-parse", "--show-toplevel").removesuffix(b"\n")
        except FlowspecError as error:
            remedy = error.remedy or "run it in a clone of the repository that has the specs"
            raise FlowspecError(f"{folder}: {error.message}", remedy=remedy) from error
        return cls(Path(os.fsdecode(top)))

    def commit(self, revision: str) -> str:
        """Returns the id of the commit that a revision names. Raises NothingFound when it names none."""
        found = self._find_commit(revision)
        if not found:
            remedy = self._remedy_for_missing(revision)
            raise NothingFound(f"there is no commit '{revision}' in {self.root}", remedy=remedy)
        return found

    def _remedy_for_missing(self, revision: str) -> str:
        """Returns the command that fetches an unknown revision, or those that list the known ones."""
        if revision == "HEAD":
            return "nothing is committed here yet: git commit, or git switch to a branch"
        if self._find_commit(f"origin/{revision}"):
            return f"use origin/{revision}"
        what = self._remote_and_refspec(revision)
        can_fetch = _NAME.fullmatch(revision) and self._text("remote")
        listing = "git branch --all lists the branches, git log the commits"
        # A shallow clone contains only one branch: other branches are fetched only by name.
        branch = what if ":" in what[-1] else ()
        return self._fetch_remedy(_fetch_command(*what) if can_fetch else listing, *branch)

    def _find_commit(self, revision: str) -> str:
        """Returns the id of the commit that a revision names; "" if it names none."""
        try:
            return self._text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except FlowspecError:
            return ""

    def merge_base(self, base: str, head: str) -> str:
        """Returns the commit at which two commits parted."""
        try:
            return self._text("merge-base", base, head).split("\n", maxsplit=1)[0]
        except FlowspecError:
            message = f"{base[:12]} and {head[:12]} have no commit in common in {self.root}"
            remedy = self._fetch_remedy("compare with a branch of the same history")
            raise FlowspecError(message, remedy=remedy) from None

    def _remote_and_refspec(self, revision: str) -> tuple[str, str]:
        """Returns the remote of a revision and its branch: `origin/main` is the branch `main` of the remote `origin`.

        The branch is fetched to this name, since a single-branch clone does not create `origin/main` for other
        branches.
        """
        remote, _, branch = revision.partition("/")
        if branch and remote in {"origin", *self._text("remote").split("\n")}:
            return remote, f"+refs/heads/{branch}:refs/remotes/{revision}"
        return "origin", revision

    def _fetch_remedy(self, otherwise: str, *what: str) -> str:
        shallow = self._text("rev-parse", "--is-shallow-repository") == "true"
        return (
            f"the clone is shallow: {_fetch_command('--unshallow', *what)}, or fetch-depth: 0 in CI"
            if shallow
            else otherwise
        )

    def changed(self, base: str, head: str) -> dict[str, str]:
        """Returns the paths that differ between two commits, each with its path in the other: a file may be moved."""
        out = self._run("diff-tree", "-r", "-M", "-z", "--name-status", "--no-ext-diff", "--no-textconv", base, head)
        words = iter(out.split(b"\0"))
        found: dict[str, str] = {}
        for status in words:
            if not status:
                continue
            path = os.fsdecode(next(words))
            other = os.fsdecode(next(words)) if status[:1] in {b"R", b"C"} else path
            found[path], found[other] = other, path
        return found

    def entries(self, commit: str) -> list[Entry]:
        """Returns the files of a commit."""
        found = []
        for line in self._run("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
            head, _, path = line.partition(b"\t")
            if path:
                mode, _, oid, size = head.decode().split()
                found.append(Entry(mode, oid, int(size) if size.isdigit() else 0, os.fsdecode(path)))
        return found

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """Yields the contents of objects, in their order."""
        command = ["git", *_OPTIONS, "cat-file", "--batch"]
        with subprocess.Popen(
            command, cwd=self.root, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin
            assert process.stdout
            for oid in oids:
                process.stdin.write(f"{oid}\n".encode())
                process.stdin.flush()
                words = process.stdout.readline().split()
                # `<oid> <type> <size>`, or `<oid> missing`.
                if len(words) < 3:
                    raise FlowspecError(f"object {oid} is missing in {self.root}", remedy=_COMPLETE)
                yield process.stdout.read(int(words[2]))
                process.stdout.read(1)
            process.stdin.close()

    def uncommitted(self, entries: Iterable[Entry]) -> list[str]:
        """Returns the paths of the entries of a commit whose file in the working tree is another.

        Not by `git diff`, which runs the filters that the repository configures.
        """
        return [one.path for one in entries if one.mode != SUBMODULE and one.oid not in _object_ids(self.root, one)]

    def changed_paths(self, since: str) -> tuple[str, ...]:
        """Returns the files that differ between a commit and the working tree, by name.

        Those of later commits (both names of one that was moved), those that are not committed, and new ones that no
        .gitignore names.
        """
        head = self.commit("HEAD")
        known = self._run("ls-files", "-z", "--cached", "--others", "--exclude-standard").split(b"\0")
        entries = self.entries(head)
        new = {os.fsdecode(name) for name in known if name} - {one.path for one in entries}
        return tuple(sorted({*self.changed(since, head), *self.uncommitted(entries), *new}))

    def _run(self, *arguments: str) -> bytes:
        return _git(self.root, *arguments)

    def _text(self, *arguments: str) -> str:
        return self._run(*arguments).decode("utf-8", "replace").strip()


def _object_ids(root: Path, entry: Entry) -> set[str]:
    """Returns the ids that git may give a file's content here: SHA-1, or SHA-256 in repositories that have chosen it.

    Where `core.autocrlf` or .gitattributes give text the line ends of Windows, git stores it without them.
    """
    path = root / entry.path
    try:
        content = os.fsencode(path.readlink()) if entry.mode == LINK else path.read_bytes()
    except OSError:
        return set()
    algorithm = "sha1" if len(entry.oid) == _SHA1_LENGTH else "sha256"
    return {
        hashlib.new(algorithm, b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
        for text in {content, content.replace(b"\r\n", b"\n")}
    }


_SHA1_LENGTH = 40


def _fetch_command(*what: str) -> str:
    return shlex.join(["git", "fetch", *what])


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments], cwd=folder, env=_environment(), capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise FlowspecError("there is no git on PATH", remedy="install git; it reads the repository") from error
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip() or f"git {arguments[0]} failed"
        if "promisor remote" in message:
            raise FlowspecError(f"objects are missing in {folder}, a partial clone", remedy=_COMPLETE)
        if "safe.directory" in message:
            # Of another owner.
            lines = [line.strip() for line in message.splitlines()]
            fatal = next((line for line in lines if line.startswith("fatal: ")), lines[0])
            command = next((line for line in lines if line.startswith("git config")), "git config safe.directory")
            raise FlowspecError(fatal.removeprefix("fatal: "), remedy=f"if you trust it: {command}")
        raise FlowspecError(message.removeprefix("fatal: "))
    return done.stdout


def _environment() -> dict[str, str]:
    """Returns the process's environment without variables that make git use another repository or run programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_ENVIRONMENT}
