"""What a text may name is never too little: every file that a spec uses is among it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.document.text.tree import Mapping
from flowspec.errors import FlowspecError
from flowspec.request.compile import compile
from flowspec.review.mentions import Mentions, Names
from tests.work import is_linear

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted(
    path
    for folder in ("examples", "tests")
    for path in (ROOT / folder).rglob("*.yaml")
    if b"\nflowspec:" in b"\n" + path.read_bytes()[:100_000]
)


def includes(text, path):
    return Mentions(text).includes(Names.of([path]))


def files_used(spec):
    """The files, and members of archives, that a spec stages at all of its targets."""
    targets = load(spec).root.get("targets")
    for target in list(targets.entries) if isinstance(targets, Mapping) else [None]:
        try:
            request = compile(validate(render(load(spec), target=target, placeholders=True)))
        except FlowspecError:
            continue
        for asset in request.assets:
            yield from [one.path for one in asset.members] if asset.members else [asset.path]


def test_every_file_of_every_spec_here_is_mentioned():
    checked = 0
    for spec in SPECS:
        try:
            used = {os.path.relpath(path, spec.parent) for path in files_used(spec)}
        except FlowspecError:
            continue
        text = spec.read_text("utf-8", "replace")
        assert "extends" in text or [path for path in used if not includes(text, path)] == [], spec
        checked += len(used)
    assert checked > 10


NAMES = st.text("abzE09._-", min_size=1, max_size=6).filter(lambda one: one.strip(".") and not one.startswith("-"))
# How a path that is cut in two is put together again: the default of a variable, and the text with it.
WAYS = {
    "plain": ("", "{0}{1}"),
    "whole": ("{0}{1}", "{{{{ v }}}}"),
    "ending": ("{1}", "{0}{{{{ v }}}}"),
    "beginning": ("{0}", "{{{{ v }}}}{1}"),
    "filter": ("{0}", "{{{{ v | lower }}}}{1}"),
    "joined": ("{0}", '{{{{ v ~ "{1}" }}}}'),
    "adjacent texts": ("", '{{{{ "{0}" "{1}" }}}}'),
    "condition": ("", '{{{{ "{0}{1}" if true else "other" }}}}'),
    "comment": ("", "{0}{{# a comment #}}{1}"),
    "trimmed": ("{1}", "{0}   {{{{- v }}}}"),
    "statement": ("", "{0}{{% if true %}}{1}{{% endif %}}"),
}


@given(st.lists(NAMES, min_size=1, max_size=3), st.integers(0, 5), st.sampled_from(sorted(WAYS)))
def test_a_rendered_path_is_mentioned_however_it_is_written(tmp_path_factory, names, cut, way):
    path = "/".join(names)
    value, script = (one.format(path[:cut], path[cut:]) for one in WAYS[way])
    text = (
        "flowspec: v1\nname: a\nbackend: local\n"
        f"variables: {{v: {{type: string, default: '{value}'}}}}\n"
        f"steps: [{{name: a, type: command, args: ['{script}', '{{{{ v }}}}']}}]\n"
    )
    folder = tmp_path_factory.getbasetemp() / "mentioned"
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_text(text)
    rendered = str(render(load(folder / "a.yaml")).root.get("steps").items[0].get("args").items[0].value)
    assert includes(text, os.path.normpath(rendered)), rendered


@pytest.mark.parametrize(
    ("text", "path", "mentioned"),
    [
        ("mapper: lib/mapper.py", "lib/mapper.py", True),
        ("mapper: lib/mapper.py", "lib/reducer.py", False),
        ("mapper: lib/mapper.py#m.py", "lib/mapper.py", True),
        ("mapper: my-mapper.py", "mapper.py", False),
        ("args: [--file=a.py]", "a.py", True),
        ("archives: [lib/]", "lib/x/y.txt", True),
        ("archives: [lib#here]", "lib/x/y.txt", True),
        ("files: [lib]", "lib/x/y.txt", False),
        ("archives: ['.']", "x/y.txt", True),
        ("py_files: [..]", "x/y.txt", True),
        ("script: 'my file.sh'", "my file.sh", True),
        ("count: '{{ workers + 2 }}'", "x.py", False),
        ("count: '{{ workers }}'", "4", True),
        ("when: \"{{ mode == 'x' }}\"", "x.py", False),
        ("script: '{{ mode | lower }}'", "x.py", True),
        ("script: '{{ mode | lower }}.sh'", "x.py", False),
        ("script: '{{ a ~ b }}'", "x.py", True),
        ("script: '{{ a + b }}'", "x.py", True),
        ("script: '{{ a * 2 }}'", "aa", True),
        ("script: '{{ a }}{{ b }}'", "x.py", True),
        ('script: "\\x78.py"', "x.py", True),
        ("script: '{{ \"\\x78.py\" }}'", "x.py", True),
        ("input: 's3://a/{{ day }}/'", "x.py", False),
        ("input: 's3://a/{{ day | replace(1, 2) }}/'", "x.py", False),
        ("input: 's3://a/{{ day }}.csv'", "b/2026.csv", False),
        ("script: 'x/{{ day }}.csv'", "b/y.csv", True),
        ("script: 'x/{{ day }}.csv'", "b/x.py", False),
        ("name: etl-{{ env }}", "x.py", False),
        ("name: etl-{{ env }}", "etl-a.py", True),
        ("script: '{{ open", "x.py", True),
    ],
)
def test_what_a_text_mentions(text, path, mentioned):
    assert includes(text, path) is mentioned


@pytest.mark.parametrize("character", list(" '\"[]{},#=:?\t\n~%"))
def test_a_name_that_may_have_to_be_quoted_is_always_mentioned(character):
    assert includes("x", f"a{character}b")


@pytest.mark.parametrize(
    "text",
    [
        ("", "{{", ""),
        ("", "{{a}}x", ""),
        ("name: a", " ", "b"),
        ("", "{\n", ""),
        ("", "a/", ""),
        ("", "'", ""),
    ],
    ids=["open", "parts", "blanks", "braces", "slashes", "quotes"],
)
def test_the_time_for_a_text_grows_with_its_length(text):
    start, repeated, end = text
    names = Names.of(["x" * 255, "x" * 250 + "y"])
    assert is_linear(
        lambda size: Mentions(start + repeated * (size // len(repeated)) + end).includes(names), size=40_000
    )
