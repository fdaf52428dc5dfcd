"""Helpers for the tests of all sources: read one, and check the spec that it gives."""

import re
from pathlib import Path

import pytest

from flowspec.errors import SpecError
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.sources import read
from tests import specs


def cases(path):
    """The files of each case of a text, by its name and theirs."""
    found = {}
    for part in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        name, _, content = part.partition("\n")
        files = re.split(r"^--- (.*)\n", content, flags=re.MULTILINE)
        found[name] = dict(zip(files[1::2], files[2::2], strict=True))
    return found


def wanted(text, kind="", folder=Path(), name="source", cluster="", **more):
    return read(name, text.encode(), kind=kind, folder=folder, cluster=cluster, **more)


def compiled(source, folder, **variables):
    """Returns the request that the spec of a source compiles to, with samples for what has no default and these values."""
    made = write_spec(source, folder=folder)
    return specs.compiled(folder, made.text, variables={**made.secrets, **source.samples, **variables}).params


def refusal(text, kind="", **more):
    with pytest.raises(SpecError) as caught:
        wanted(text, kind, **more)
    (found,) = caught.value.diagnostics
    return found
