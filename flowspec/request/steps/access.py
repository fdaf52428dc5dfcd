"""The data that a step names in its arguments: each URI with what the step does with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple


class Use(str, Enum):
    """A use of the data at a URI.

    FILE: one object is read. INPUT: an object, all below a folder, or what a glob matches is read. OUTPUT: a folder
    is made, and must not exist (Hadoop's FileOutputFormat.checkOutputSpecs). TARGET: is written, and may exist.
    ARGUMENT: a program of the user's gets it as an argument and may read or write it.
    """

    FILE = "file"
    INPUT = "input"
    OUTPUT = "output"
    TARGET = "target"
    ARGUMENT = "argument"


class Access(NamedTuple):
    """A `uri` that a step names, and its `use`."""

    use: Use
    uri: str


# Inside an argument (`--input=s3://b/x`, `INPUT=s3://b/x`) a URI ends at a blank, a quote or a separator.
_URI = re.compile(r"(?:s3[an]?|hdfs|file)://[^\s'\"<>|;]+")


def files(values: Iterable[str]) -> Iterator[Access]:
    """Yields the files of a list; a `#name` is not part of a URI."""
    for one in values:
        yield Access(Use.FILE, one.partition("#")[0])


def arguments(words: Iterable[str]) -> Iterator[Access]:
    """Yields the URIs in the arguments of a program of the user's."""
    for word in words:
        # A comma separates URIs only if another one follows: it may be part of a key.
        for part in re.split(r",(?=(?:s3[an]?|hdfs|file)://)", word):
            yield from (Access(Use.ARGUMENT, one) for one in _URI.findall(part))


def file_fields(fields: Mapping[str, Any], *keys: str) -> Iterator[Access]:
    """Yields the files under these keys of a step, each a path or a list of them."""
    for key in keys:
        value = fields.get(key, ())
        yield from files([value] if isinstance(value, str) else value)
