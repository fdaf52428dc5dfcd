"""Local files that a job flow needs: found beside the spec, hashed, and given the URI they will have.

A relative path where a file is wanted is a file beside the spec. On `local` it is used in place; on
`emr` it will be at `<staging>/<sha256>/<name>`: the request names the content, so a changed script is
a changed request. Nothing is uploaded here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from flowspec.errors import Diagnostic
from flowspec.spec.document import NodePath
from flowspec.spec.model import JobFlow
from flowspec.spec.nearest import did_you_mean

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_S3 = re.compile(r"s3[an]?://")
# What would end, split or change a name in the comma lists of URIs that Hadoop's -files takes.
_UNSHIPPABLE = re.compile(r"[\s,#%?\"'<>\\^`{|}\[\]]")
_SCRIPT = re.compile(r"\.(py|sh|bash|rb|pl|awk|js|r|php|lua|exe|bin)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asset:
    """A local file that the job flow needs.

    `path` is absolute; `size` in bytes; `sha256` of the content, in hex. `uri` is how the request
    names it: `s3://…/<sha256>/<name>` on emr, the absolute path on local.
    """

    path: Path
    sha256: str
    size: int
    uri: str

    @property
    def name(self) -> str:
        """The file's own name, by which it is run where it is shipped to."""
        return self.path.name


def is_s3(text: str) -> bool:
    """Whether this is an S3 URI, in any of Hadoop's spellings."""
    return bool(_S3.match(text))


def is_relative(text: str) -> bool:
    """Whether this can be the path of a file beside the spec: no URI, not absolute."""
    return bool(text) and not text.startswith(("/", "~")) and not _SCHEME.match(text)


def looks_like_file(word: str) -> bool:
    """Whether a command's first word is meant as a file: it has a slash or a script's suffix."""
    return "/" in word or bool(_SCRIPT.search(word))


class Files:
    """The local files of one job flow, each looked at once; `found` collects what is wrong with them."""

    def __init__(self, jobflow: JobFlow) -> None:
        self.jobflow = jobflow
        self.found: list[Diagnostic] = []
        self._assets: dict[Path, Asset] = {}
        self._refused: set[Path] = set()

    @property
    def assets(self) -> tuple[Asset, ...]:
        """All files asked for so far, each once, in that order."""
        return tuple(self._assets.values())

    @property
    def folder(self) -> Path:
        """The folder of the spec, absolute; relative paths start here."""
        return Path(os.path.abspath(self.jobflow.path)).parent  # noqa: PTH100 - links stay as they are named

    def absolute(self, text: str) -> Path:
        """A relative path, from the spec's folder; `..` is resolved, links are not."""
        return Path(os.path.normpath(self.folder / text))

    def report(self, id: str, at: NodePath, message: str, *, hint: str = "", notes: tuple[str, ...] = ()) -> None:  # noqa: A002
        """Collects a finding about the value at a path of the spec."""
        self.found.append(self.jobflow.document.diagnostic(id, at, message, hint=hint, notes=notes))

    def asset(self, text: str, at: NodePath) -> Asset | None:
        """The local file at this relative path; None, with a finding, when there is no such file."""
        path = self.absolute(text)
        if path not in self._assets and path not in self._refused:
            made = self._made(path, text, at)
            if made is None:
                self._refused.add(path)
                return None
            self._assets[path] = made
        return self._assets.get(path)

    def _made(self, path: Path, text: str, at: NodePath) -> Asset | None:
        if not self._usable(path, text, at):
            return None
        try:
            digest, size = _hash(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.report("FS403", at, f"'{text}' can't be read: {reason}", notes=(f"looked at {path}",))
            return None
        uri = self._uri(path, digest, at)
        return Asset(path, digest, size, uri) if uri is not None else None

    def _usable(self, path: Path, text: str, at: NodePath) -> bool:
        if path.is_file():
            if _UNSHIPPABLE.search(path.name):
                hint = "letters, digits and . _ - + = @ are safe"
                self.report("FS405", at, f"Hadoop can't ship a file named '{path.name}'", hint=hint)
                return False
            return True
        if path.is_dir():
            self.report(
                "FS402",
                at,
                f"'{text}' is a directory, a file is wanted",
                hint="name the file in it",
                notes=(f"looked at {path}",),
            )
        elif path.exists():
            self.report("FS402", at, f"'{text}' is not a regular file", notes=(f"looked at {path}",))
        else:
            self.report("FS401", at, f"there is no file '{text}'", hint=_near(path), notes=(f"looked for {path}",))
        return False

    def _uri(self, path: Path, digest: str, at: NodePath) -> str | None:
        if self.jobflow.backend == "local":
            return str(path)
        staging = self.jobflow.staging
        if not staging:
            if not any(one.id == "FS404" for one in self.found):
                ways = "staging: s3://bucket/folder/ in the spec or its target, or --staging s3://bucket/folder/"
                self.report(
                    "FS404",
                    at,
                    "a local file needs a place in S3 to be staged to",
                    hint="give `staging`",
                    notes=(ways,),
                )
            return None
        if not staging.startswith("s3://") or len(staging.rstrip("/")) <= len("s3:/"):
            if not any(one.id == "FS404" for one in self.found):
                self.report("FS404", ("staging",), f"'{staging}' is no S3 folder", hint="such as s3://bucket/folder/")
            return None
        return f"{staging.rstrip('/')}/{digest}/{path.name}"


def _hash(path: Path) -> tuple[str, int]:
    import hashlib

    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _near(path: Path) -> str:
    """A file of nearly this name beside it, as a question."""
    try:
        names = sorted(one.name for one in path.parent.iterdir())
    except OSError:
        return f"there is no folder {path.parent.name}" if not path.parent.is_dir() else ""
    return did_you_mean(path.name, names)
