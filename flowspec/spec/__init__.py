"""Text -> JobFlow: what a spec says, checked, for one target.

    load      a file -> Document: strict YAML, every value with its place
    render    Document -> Document: one target's overrides merged, variables resolved, loops unrolled,
              templates filled in
    validate  Document -> JobFlow: the schema, then the rules across fields
    dump      Document -> YAML text

Each takes a value and gives another; none reads what another wrote. Findings are collected on the way
as diagnostics, so that one run tells everything: `validate` raises them together.

Importing this costs little: yaml, jinja2 and jsonschema are imported by the functions that need them.
"""

from __future__ import annotations

from flowspec.spec.compose import render
from flowspec.spec.document import Document
from flowspec.spec.dump import dump
from flowspec.spec.load import load
from flowspec.spec.model import JobFlow
from flowspec.spec.validate import validate

__all__ = ["Document", "JobFlow", "dump", "load", "render", "validate"]
