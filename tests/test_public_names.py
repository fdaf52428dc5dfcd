"""`flowspec.__all__` is exactly what is imported lazily, and each name is what it says."""

import subprocess
import sys

import pytest

import flowspec


def test_all_names_are_those_that_have_a_home():
    assert flowspec.__all__ == sorted(flowspec._HOME_OF) == dir(flowspec)


def test_every_name_can_be_had():
    for name in flowspec.__all__:
        assert getattr(flowspec, name) is not None


def test_the_stages_are_functions_whatever_was_imported_before():
    code = """
import flowspec.plan.cluster, flowspec.document.text.parse, flowspec.document.rendering.templates, flowspec.document.checking.validate
import flowspec
from types import FunctionType, ModuleType
from flowspec import load, render, validate, compile, make_plan, apply, watch
for stage in (load, render, validate, compile, make_plan, apply, watch):
    assert isinstance(stage, FunctionType), stage
assert isinstance(flowspec.plan.cluster, ModuleType)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


LIBRARIES = ["yaml", "jinja2", "jsonschema", "referencing", "re2", "pathspec", "boto3", "botocore", "rich", "sqlite3"]


@pytest.mark.parametrize(
    ("module", "needless"),
    [
        ("flowspec", [*LIBRARIES, "click"]),
        # What `flowspec --help` pays for.
        ("flowspec.cli", [*LIBRARIES, "flowspec.document"]),
        # What `flowspec validate` of a sound spec without patterns and archives pays for.
        ("flowspec.document.checking.validate", [one for one in LIBRARIES if one not in ("yaml", "jinja2")]),
        ("flowspec.request.compile", [one for one in LIBRARIES if one not in ("yaml", "jinja2")]),
    ],
)
def test_importing_is_cheap(module, needless):
    code = f"import {module}, sys; print([name for name in {needless} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nothing_of_the_sort"):
        flowspec.nothing_of_the_sort  # noqa: B018
