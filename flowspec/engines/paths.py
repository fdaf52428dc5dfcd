"""Finds the files of this machine that the URIs of a step name.

`s3://bucket/key` (also s3n, s3a) stands for a file below one folder, `hdfs:///path` for one below
another; `file:` and plain absolute paths are this machine's own. A relative path belongs to the home
of the user `hadoop` in HDFS, as on a cluster, and to the working directory where there is no HDFS.

Everything here is pure: no file is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flowspec.errors import FlowspecError
from flowspec.facts.uris import S3_SCHEMES

HDFS_HOME = "/user/hadoop"


class UnknownScheme(FlowspecError):
    """A URI names a file system that nothing stands for here; the words are Hadoop's."""

    def __init__(self, scheme: str) -> None:
        super().__init__(
            f'No FileSystem for scheme "{scheme}"',
            remedy="s3:// and hdfs:// paths need a folder that stands for them (FLOWSPEC_S3_ROOT, FLOWSPEC_HDFS_ROOT)",
        )


class FileSystems(NamedTuple):
    """The folders that stand for S3 and HDFS (None: not known here), and the working directory."""

    working: Path
    s3: Path | None = None
    hdfs: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], working: Path) -> FileSystems:
        """Reads FLOWSPEC_S3_ROOT and FLOWSPEC_HDFS_ROOT."""
        s3, hdfs = environ.get("FLOWSPEC_S3_ROOT"), environ.get("FLOWSPEC_HDFS_ROOT")
        return cls(working=working, s3=Path(s3) if s3 else None, hdfs=Path(hdfs) if hdfs else None)

    def qualify(self, text: str) -> str:
        """Returns the full URI of a path as a user wrote it, in the form of Hadoop's messages.

        `/x/` and `file:///x` become `file:/x`, `s3://b/k` stays, `x` becomes `file:/cwd/x` or
        `hdfs:///user/hadoop/x`. Raises `FlowspecError` for a path that climbs out of its root.
        """
        scheme, authority, path = split_uri(text)
        if not scheme and not path.startswith("/"):
            scheme = "hdfs" if self.hdfs else "file"
            path = f"{HDFS_HOME if self.hdfs else self.working}/{path}"
        path = _normalize(path, text)
        if authority in (".", ".."):
            raise _outside_root_error(text)
        scheme = scheme or "file"
        if scheme == "file":
            return f"file:{path}"
        return f"{scheme}://{authority}{'' if path == '/' and authority else path}"

    def locate(self, uri: str) -> Path:
        """Returns the place on this machine of a URI or path. Raises `UnknownScheme` or `FlowspecError`."""
        scheme, authority, path = split_uri(self.qualify(uri))
        if scheme == "file":
            return Path(path)
        if scheme in S3_SCHEMES and self.s3:
            return self.s3 / authority / path.lstrip("/")
        if scheme == "hdfs" and self.hdfs:
            return self.hdfs / path.lstrip("/")
        raise UnknownScheme(scheme)


def split_uri(text: str) -> tuple[str, str, str]:
    """Cuts a URI into scheme, authority and path, as Hadoop's `Path` does: nothing is decoded.

    A colon behind the first slash belongs to the path: `dir/a:b` has no scheme.
    """
    head, colon, rest = text.partition(":")
    if not colon or "/" in head or not head:
        return "", "", text
    if not rest.startswith("//"):
        return head, "", rest
    authority, slash, path = rest[2:].partition("/")
    return head, authority, slash + path


def _outside_root_error(text: str) -> FlowspecError:
    return FlowspecError(f"{text}: the path leads out of its root", remedy="leave out the '..'")


def _normalize(path: str, text: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise _outside_root_error(text)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
