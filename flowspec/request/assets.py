"""Finds the local files that a job flow needs, hashes them, and gives each the URI that it will have.

A relative path where a file is expected is a file beside the spec. On `local` it is used in place; on
`emr` it will be at `<staging>/<sha256>/<name>`: the URI contains the hash of the content, so a changed script
makes a changed request. Nothing is uploaded here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.document.job_flow import JobFlow
from flowspec.document.nearest import MAX_GUESSES, similar_file
from flowspec.document.text.parse import tree_of
from flowspec.document.text.tree import NodePath
from flowspec.errors import Diagnostic
from flowspec.facts.uris import is_s3_folder, split_at_commas
from flowspec.request.archives import (
    Member,
    OutsideError,
    PackingError,
    blocks,
    is_inside,
    members,
    packed,
)
from flowspec.request.secret_scan import find_secret

if TYPE_CHECKING:
    from flowspec.request.packages import Packages

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Characters that end, split or change a name in the comma-separated URIs of Hadoop's -files.
_UNSHIPPABLE = re.compile(r"[\s,#%?\"'<>\\^`{|}\[\]]")
# The keys under which a directory is packed into an archive.
_PACKED = frozenset(("archives", "cache_archives", "py_files"))
_SCRIPT = re.compile(r"\.(py|sh|bash|rb|pl|awk|js|r|php|lua|exe|bin)$", re.IGNORECASE)


class Asset(NamedTuple):
    """A local file that the job flow needs.

    `path` is absolute; `size` in bytes; `sha256` of the content, in hex. `uri` is its name in the request:
    `s3://…/<sha256>/<name>` on emr, the absolute path on local. `members`: the files to pack, when the path is
    a directory; size and hash are then those of the archive. `packages`: Python packages, which are
    packed when they are staged; `path` is then their requirements file, `sha256` the hash of what decides the content,
    and the size is not known: 0.
    """

    path: Path
    sha256: str
    size: int
    uri: str
    members: tuple[Member, ...] | None = None
    packages: Packages | None = None

    @property
    def name(self) -> str:
        """The name of the file, also in the working directory of the tasks."""
        if self.packages is not None:
            return self.packages.name
        return self.path.name if self.members is None else f"{self.path.name}.zip"

    def content(self) -> Iterator[bytes]:
        """Reads the bytes to upload, block by block. Raises OSError and `PackingError`."""
        return blocks(self.path) if self.members is None else packed(self.members)

    def linked(self, fragment: str, at: NodePath) -> str:
        """Returns the URI with its `#name`. An archive of a directory is unpacked under the directory's name."""
        if self.members is not None and not fragment and not {"archives", "cache_archives"}.isdisjoint(at):
            fragment = f"#{self.path.name}"
        return self.uri + fragment


def is_relative(text: str) -> bool:
    """Returns True if a text can be the path of a file beside the spec: no URI, not absolute, without NUL."""
    return bool(text) and not text.startswith(("/", "~")) and not _SCHEME.match(text) and "\0" not in text


def looks_like_file(word: str) -> bool:
    """Returns True if a command's first word is probably a file: it has a slash or the suffix of a script."""
    return "/" in word or bool(_SCRIPT.search(word))


class Files:
    """The local files of one job flow, each read once; `found` collects the findings about them."""

    def __init__(self, jobflow: JobFlow) -> None:
        self.jobflow = jobflow
        self.found: list[Diagnostic] = []
        self._assets: dict[Path, Asset] = {}
        # The URIs of archives of Python packages, by the place of their `python` and whether they are pure.
        self.packages: dict[tuple[NodePath, bool], str | None] = {}
        self._refused: set[Path] = set()
        self._allowed = {self.absolute(text) for text in jobflow.fields.get("allow_secrets_in", ())}

    @cached_property
    def tree(self) -> Path:
        """The folder that local files have to be in."""
        return tree_of(self.jobflow.path)

    @property
    def assets(self) -> tuple[Asset, ...]:
        """The files that `asset` was called for, each once, in order of the calls."""
        return tuple(self._assets.values())

    @property
    def default_packages(self) -> Mapping[str, Any] | None:
        """The `python` of the job flow, for steps without their own; None if there is none."""
        return self.jobflow.fields.get("python")

    def add(self, asset: Asset) -> None:
        """Adds a file that is made from other files."""
        self._assets[Path(asset.uri)] = asset

    def source(self, text: str, at: NodePath) -> Path | None:
        """Returns the path of a local file that is read here, not shipped; None, with a finding, if that fails."""
        if not is_relative(text):
            self.report(
                "FS401", at, f"'{text}' is not a path relative to the spec", hint="copy the file beside the spec"
            )
            return None
        path = self.absolute(text, at)
        if not is_inside(path, self.tree):
            # On any backend, because findings about a file quote its lines.
            note = f"only files below {self.tree} are read: the repository of the spec, or its folder"
            self.report("FS407", at, f"'{text}' is outside of the spec's folder tree, or in its .git", notes=(note,))
            return None
        return path if self._is_usable(path, text, at, is_packed=False) else None

    def folder(self, at: NodePath = ()) -> Path:
        """Returns the folder (absolute) of the file with the value at a path: the spec itself or a base file."""
        file = self.jobflow.document.nearest(at).at.source.file if at else os.fspath(self.jobflow.path)
        return Path(os.path.abspath(file)).parent  # noqa: PTH100 - unlike Path.resolve it keeps links

    def absolute(self, text: str, at: NodePath = ()) -> Path:
        """Returns a relative path made absolute, from `folder(at)`; `..` is resolved, links are not."""
        return Path(os.path.normpath(self.folder(at) / text))

    def data_path(self, text: str, at: NodePath) -> str:
        """Returns a path of data, or several with commas: on `local` relative ones start at the spec's folder.

        On EMR they are unchanged: there they belong to the cluster's default file system.
        """
        if self.jobflow.traits.stages_files:
            return text
        # A comma within braces is part of a glob: {a,b}.
        return ",".join(self._absolute_data_path(part, at) for part in split_at_commas(text))

    def _absolute_data_path(self, text: str, at: NodePath) -> str:
        if not is_relative(text):
            return text
        # Path drops a slash at the end, which marks a folder.
        return str(self._below_data_root(self.absolute(text, at), text, at)) + ("/" if text.endswith("/") else "")

    def _below_data_root(self, path: Path, text: str, at: NodePath) -> Path:
        """Returns the path below the flow's `data_root` if it has one; reports a path outside of the spec's tree."""
        root, folder = self.jobflow.data_root, self.folder()
        if root is None:
            return path
        # `tree` is a real path, but the folder's path may contain links.
        here = Path(os.path.realpath(folder)).relative_to(self.tree)
        moved = Path(os.path.normpath(root / here / os.path.relpath(path, folder)))
        if not moved.is_relative_to(root):
            self.report("FS407", at, f"'{text}' is outside of the spec's folder tree", notes=(f"that is {self.tree}",))
        return moved

    def report(self, id: str, at: NodePath, message: str, *, hint: str = "", notes: tuple[str, ...] = ()) -> None:  # noqa: A002
        """Adds a finding about the value at a path of the spec."""
        self.found.append(self.jobflow.document.diagnostic(id, at, message, hint=hint, notes=notes))

    def asset(self, text: str, at: NodePath) -> Asset | None:
        """Returns the local file at a relative path; None, with a finding, if there is no usable file.

        A directory under a key for archives is packed.
        """
        path = self.absolute(text, at)
        if path not in self._assets and path not in self._refused:
            made = self._create_asset(path, text, at)
            if made is None:
                self._refused.add(path)
                return None
            self._assets[path] = made
        return self._assets.get(path)

    def _create_asset(self, path: Path, text: str, at: NodePath) -> Asset | None:
        try:
            is_packed = path.is_dir() and not _PACKED.isdisjoint(at)
            if not self._is_usable(path, text, at, is_packed=is_packed):
                return None
            files = members(path, self.folder(at), self.uploaded_from) if is_packed else None
            digest, size = self._hash(path, files, at)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.report(
                "FS403", at, f"'{text}' can't be read: {reason}", notes=(f"looked at {error.filename or path}",)
            )
            return None
        except OutsideError as error:
            self._report_outside(at, f"'{text}' can't be packed: {error}", hint=error.hint)
            return None
        except PackingError as error:
            message = f"'{text}' can't be packed: {error}"
            self.report("FS402", at, message, hint=error.hint, notes=(f"looked at {path}",))
            return None
        name = path.name if files is None else f"{path.name}.zip"
        uri = self._uri(path, f"{digest}/{name}", at)
        return Asset(path, digest, size, uri, files) if uri is not None else None

    def _hash(self, path: Path, files: tuple[Member, ...] | None, at: NodePath) -> tuple[str, int]:
        import hashlib

        for one in (path,) if files is None else (member.path for member in files):
            self._look_for_secrets(one, at)
        digest, size = hashlib.sha256(), 0
        for block in blocks(path) if files is None else packed(files):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size

    def _look_for_secrets(self, path: Path, at: NodePath) -> None:
        if not self.jobflow.traits.stages_files or path in self._allowed:
            return
        found = find_secret(blocks(path))
        if found:
            name = os.path.relpath(path, self.folder())
            hint = "keep it out of S3"
            way = f"allow_secrets_in: [{name}] allows it"
            self.report("FS406", at, f"'{name}' holds {found}", hint=hint, notes=(way,))

    def _is_usable(self, path: Path, text: str, at: NodePath, *, is_packed: bool) -> bool:
        if self.uploaded_from and not is_inside(path, self.uploaded_from):
            self._report_outside(at, f"'{text}' is outside of the spec's folder tree, or in its .git")
            return False
        if path.is_file() or is_packed:
            if _UNSHIPPABLE.search(path.name):
                hint = "letters, digits and . _ - + = @ are safe"
                self.report("FS405", at, f"Hadoop can't ship a file named '{path.name}'", hint=hint)
                return False
            return True
        where = (f"looked at {path}",)
        if path.is_dir():
            message = f"'{text}' is a directory, not a file"
            self.report("FS402", at, message, hint="name the file in it", notes=where)
        elif path.exists():
            self.report("FS402", at, f"'{text}' is not a regular file", notes=where)
        else:
            hint = _similar_file_hint(path, self.folder(at)) if len(self.found) < MAX_GUESSES else ""
            self.report("FS401", at, f"there is no file '{text}'", hint=hint, notes=(f"looked for {path}",))
        return False

    @property
    def uploaded_from(self) -> Path | None:
        """The folder that files are uploaded from; None if nothing is uploaded.

        A spec may come from someone who is not trusted with the rest of the machine.
        """
        return self.tree if self.jobflow.traits.stages_files else None

    def _report_outside(self, at: NodePath, message: str, *, hint: str = "") -> None:
        note = f"only files below {self.tree} are uploaded: the repository of the spec, or its folder; .git never is"
        self.report("FS407", at, message, hint=hint, notes=(note,))

    def _uri(self, path: Path, key: str, at: NodePath) -> str | None:
        if not self.jobflow.traits.stages_files:
            return str(path)
        staging = self.staging(at)
        return staging and f"{staging.rstrip('/')}/{key}"

    def staging(self, at: NodePath) -> str | None:
        """Returns the S3 folder that files are staged to; None, with a finding about the file at `at`, without one."""
        staging = self.jobflow.staging
        if not staging:
            ways = "staging: s3://bucket/folder/ in the spec or its target, or --staging s3://bucket/folder/"
            message = "a local file needs a place in S3 to be staged to"
            self._report_no_staging(at, message, hint="give `staging`", notes=(ways,))
            return None
        if not is_s3_folder(staging):
            hint = "such as s3://bucket/folder/"
            self._report_no_staging(("staging",), f"'{staging}' is not an S3 folder", hint=hint)
            return None
        return staging

    def _report_no_staging(self, at: NodePath, message: str, *, hint: str, notes: tuple[str, ...] = ()) -> None:
        if not any(one.id == "FS404" for one in self.found):
            self.report("FS404", at, message, hint=hint, notes=notes)


def _similar_file_hint(path: Path, folder: Path) -> str:
    """Returns a hint: the file of this name in `folder`, that of the spec; else one of a similar name, or no folder."""
    if path.parent != folder and (folder / path.name).is_file():
        return f"write {path.name}: paths begin at the folder of this file"
    return similar_file(path)


def secrets_of(assets: tuple[Asset, ...]) -> frozenset[str]:
    """Returns users and passwords in the URLs of requirements files, which are not shown."""
    found = [asset.packages.requirements for asset in assets if asset.packages]
    if not found:
        return frozenset()
    from flowspec.request.requirements import credentials

    texts = [text for one in found for text in one.texts]
    return frozenset(secret for text in texts for secret in credentials(text))
