"""Formats staged files as text and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowspec.backend.aws.manage.staged import StagedFile
from flowspec.document.escaping import visible
from flowspec.errors import number_of
from flowspec.report.columns import aligned
from flowspec.report.times import utc_text


def as_text(files: Sequence[StagedFile], users: Mapping[str, str]) -> str:
    """Returns a line for each file; `users` maps the hashes of files to what uses them."""
    rows = [
        (utc_text(one.modified, "minutes"), f"{one.size:,}", visible(users.get(one.sha256, "")), visible(one.uri))
        for one in files
    ]
    return "\n".join(aligned([("STAGED (UTC)", "BYTES", "USED BY", "FILE"), *rows], numbers={1}))


def total(files: Iterable[StagedFile]) -> str:
    """Returns `12 files, 3,456,789 bytes`."""
    sizes = [one.size for one in files]
    return f"{number_of(len(sizes), 'file')}, {number_of(sum(sizes), 'byte')}"


def document(one: StagedFile, users: Mapping[str, str]) -> dict[str, Any]:
    """Returns a file as plain data, for programs; `used_by` is null if nothing is known to use it."""
    return {
        "uri": one.uri,
        "sha256": one.sha256,
        "bytes": one.size,
        "modified": one.modified,
        "used_by": users.get(one.sha256),
    }
