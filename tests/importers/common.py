"""Helpers for the tests of all sources: read one, and check the spec that it gives."""

from pathlib import Path

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.sources import read
from flowspec.request.compile import compile


def wanted(text, kind="", folder=Path(), name="source", cluster="", **more):
    return read(name, text.encode(), kind=kind, folder=folder, cluster=cluster, **more)


def compiled(source, folder, **variables):
    """Returns the request that the spec of a source compiles to, with samples for what has no default and these values."""
    made = write_spec(source, folder=folder)
    path = folder / "job.yaml"
    path.write_text(made.text, encoding="utf-8")
    values = {**made.secrets, **source.samples, **variables}
    return compile(validate(render(load(path), variables=values, environ={}), emr_rules=False)).params


def refusal(text, kind="", **more):
    with pytest.raises(SpecError) as caught:
        wanted(text, kind, **more)
    (found,) = caught.value.diagnostics
    return found
