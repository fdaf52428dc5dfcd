"""Specs that files, folders and globs name."""

import os
from pathlib import Path

import pytest

from flowspec.document.discovery import find_flows, find_specs
from flowspec.errors import NothingFound


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Finds specs in a working directory with some."""
    monkeypatch.chdir(tmp_path)
    for name in ("jobs/a.yaml", "jobs/deep/b.yml", "jobs/.hidden/c.yaml", "jobs/.d.yaml", "jobs/[x].yaml"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("flowspec: v1\n")
    Path("jobs/notes.yaml").write_text("no: spec\n")
    return lambda *arguments: [str(one) for one in find_specs(list(map(Path, arguments)))]


@pytest.mark.parametrize(
    ("argument", "specs"),
    [
        ("jobs", ["jobs/.d.yaml", "jobs/[x].yaml", "jobs/a.yaml", "jobs/deep/b.yml"]),
        ("jobs/*.yaml", ["jobs/[x].yaml", "jobs/a.yaml"]),
        ("jobs/.*.yaml", ["jobs/.d.yaml"]),
        ("jobs/[a]*", ["jobs/a.yaml"]),
        ("jobs/[x].yaml", ["jobs/[x].yaml"]),
        ("**/*.yml", ["jobs/deep/b.yml"]),
        ("j*/d*", ["jobs/deep/b.yml"]),
        ("jobs**/a*", ["jobs/a.yaml"]),
        ("jobs/notes.yaml", ["jobs/notes.yaml"]),
        ("nowhere.yaml", ["nowhere.yaml"]),
    ],
)
def test_an_argument(found, argument, specs):
    assert found(argument) == specs


@pytest.mark.parametrize("argument", ["jobs/n*", "jobs/*.none", "nowhere/*", "empty"])
def test_an_argument_that_names_none(found, argument):
    Path("empty").mkdir()
    with pytest.raises(NothingFound, match="no spec there"):
        found(argument)


def test_a_glob_that_is_absolute(found, tmp_path):
    assert found(str(tmp_path / "jobs/a*")) == [str(tmp_path / "jobs/a.yaml")]


def test_a_file_that_is_named_twice_is_found_once(found, tmp_path):
    Path("jobs/link.yaml").symlink_to("a.yaml")
    assert found("jobs/a.yaml", str(tmp_path / "jobs/a.yaml"), "jobs/../jobs/a.yaml", "jobs/a*") == ["jobs/a.yaml"]
    assert found("jobs/*.yaml") == ["jobs/[x].yaml", "jobs/a.yaml"]


@pytest.mark.parametrize("argument", ["jobs/deep", "jobs/deep/**", "jobs/**/*.yml", "jobs/deep/**/*.yml"])
def test_loops_of_links(found, argument):
    """Two of them: followed, they would name the spec in 2^40 ways."""
    for name in ("one", "two"):
        Path("jobs/deep", name).symlink_to("..")
    Path("jobs/deep/self.yml").symlink_to("self.yml")
    assert found(argument) in (["jobs/deep/b.yml"], ["jobs/deep/b.yml", "jobs/deep/self.yml"])


def test_a_pipe_is_no_spec(found):
    os.mkfifo("jobs/deep/pipe.yaml")
    assert found("jobs/deep", "jobs/deep/*") == ["jobs/deep/b.yml"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_spec_with_a_byte_order_mark(found, encoding):
    Path("jobs/deep/b.yml").write_text("flowspec: v1\n", encoding)
    assert found("jobs/deep") == ["jobs/deep/b.yml"]


FLOWS = {
    "flow.yaml": "name: flow\nextends: base.yaml\n",
    "named.yaml": "name: named\nextends: flow.yaml # a flow by itself\n",
    "base.yaml": "extends: sub/root.yaml\n",
    "sub/root.yaml": "tags: {a: b}\n",
    "a.yaml": "extends: b.yaml\n",
    "b.yaml": "extends: a.yaml\n",
    "lost.yaml": "tags: {a: b}\n",
}


def test_a_base_file_is_no_flow_beside_what_extends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    for name, text in FLOWS.items():
        Path(name).write_text(f"flowspec: v1\n{text}")

    def flows(*arguments):
        return [str(one) for one in find_flows(list(map(Path, arguments)))]

    # Of those that go in a circle, and of one that nothing extends, the command says what is wrong.
    assert flows(".") == ["a.yaml", "b.yaml", "flow.yaml", "lost.yaml", "named.yaml"]
    assert flows("*.yaml", "sub/root.yaml") == flows(".")
    assert flows("base.yaml") == ["base.yaml"]
    assert flows("sub") == ["sub/root.yaml"]
