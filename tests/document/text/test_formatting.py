"""Formatting: documents with their exact result, and laws that hold for every text."""

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.document.text.dump import dump
from flowspec.document.text.formatting import format_text
from flowspec.document.text.parse import read
from flowspec.document.text.tree import Source
from flowspec.errors import FlowspecError, SpecError

ROOT = Path(__file__).parents[3]
CASES = {
    "what a spec is comes first, its steps last, comments with their keys": (
        """\
# yaml-language-server: $schema=x

# of the name
name:   'wordcount'   # inline
flowspec: v1
steps:
- type: command
  # of the first
  name: one
  args: [a]
# of the tags
tags: {b: '1',   a: x}
""",
        """\
# yaml-language-server: $schema=x

flowspec: v1
# of the name
name: wordcount  # inline
# of the tags
tags: {b: "1", a: x}
steps:
  # of the first
  - name: one
    type: command
    args: [a]
""",
    ),
    "quotes only where a reader could take the text for something else": (
        """flowspec: v1\nname: "a b"\ntags: {a: 'yes', b: "0.10", c: 0.10, d: 'x: y', e: "{{ f }}", g: 'say "hi"'}\n""",
        """flowspec: v1\nname: a b\ntags: {a: "yes", b: "0.10", c: 0.10, d: "x: y", e: "{{ f }}", g: 'say "hi"'}\n""",
    ),
    "one indentation, which texts of several lines follow": (
        "flowspec: v1\nname: a\nconfigurations:\n     core-site:\n          a: |\n              x\n                y\n\n              z\n          b: >-\n             p\n             q\n",
        "flowspec: v1\nname: a\nconfigurations:\n  core-site:\n    a: |\n      x\n        y\n\n      z\n    b: >-\n      p\n      q\n",
    ),
    "comments inside of a block stay inside": (
        "flowspec: v1\nname: a\nsteps:\n- name: one\n  type: command\n  # inside\n\n\n# the end\n",
        "flowspec: v1\nname: a\nsteps:\n  - name: one\n    type: command\n    # inside\n\n# the end\n",
    ),
    "an alias stays behind its anchor": (
        "name: a\nflowspec: v1\ntags: &t {a: b}\ndescription: *t\n",
        "name: a\nflowspec: v1\ntags: &t {a: b}\ndescription: *t\n",
    ),
    "a list in brackets on one line where it fits": (
        "flowspec: v1\nname: a\nec2_subnet_ids: [\n  a,\n  b]\napplications: [\n  Hadoop,  # why\n  Spark]\n",
        "flowspec: v1\nname: a\nec2_subnet_ids: [a, b]\napplications: [\n  Hadoop,  # why\n  Spark]\n",
    ),
    "other files keep their order": ("b: 1\na: '2'\n", 'b: 1\na: "2"\n'),
    "comments below an entry stay in the block that they are in, also where it is written last": (
        "flowspec: v1\nsteps:\n- type: command\n  args:\n  - a\n  # of the list\n  # of the step\n # of the steps\n"
        "tags:\n    x:\n        y: z\n        # of y\n    # of x\nname: a\n  # of the name\n# the end\n",
        "flowspec: v1\nname: a\n  # of the name\ntags:\n  x:\n    y: z\n    # of y\n  # of x\n"
        "steps:\n  - type: command\n    args:\n      - a\n      # of the list\n      # of the step\n"
        "  # of the steps\n# the end\n",
    ),
    "ends of lines and a byte order mark": ("flowspec: v1   \nname: a\n\n\n\n", "flowspec: v1\nname: a\n"),
}


@pytest.mark.parametrize(("text", "formatted"), CASES.values(), ids=CASES)
def test_a_text_and_its_form(text, formatted):
    assert format_text(Source("job.yaml", text)) == formatted
    assert format_text(Source("job.yaml", formatted)) == formatted


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("tests/document/documents/**/*.yaml")), ids=lambda path: path.parent.name
)
def test_what_a_document_says_is_kept(path):
    try:
        formatted = format_text(read(path))
    except SpecError:
        return
    assert format_text(Source("job.yaml", formatted)) == formatted, "formatted twice is formatted once"


SCALARS = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.none(), st.sampled_from(["{{ a }}", "0.10", "#"])
)
KEYS = st.text("abcdefg-_.", min_size=1, max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.randoms(use_true_random=False), st.booleans())
def test_any_document_is_kept_or_left_alone(data, chance, by_pyyaml):
    text = yaml.safe_dump(data, sort_keys=False, width=40) if by_pyyaml else dump({"flowspec": "v1", **data})
    source = Source("job.yaml", _commented(text, chance))
    try:
        formatted = format_text(source)
    except SpecError:
        return
    assert format_text(Source("job.yaml", formatted)) == formatted


def _commented(text: str, chance: random.Random) -> str:
    """The text with comments and blank lines before some of its entries."""
    out = []
    for line in text.splitlines():
        is_entry = line.lstrip().startswith(("- ", "a", "b", "c", "d")) and "'" not in line and '"' not in line
        if is_entry and chance.random() < 0.2:
            indent = chance.choice([len(line) - len(line.lstrip()), chance.randrange(10)])
            out.append(" " * indent + f"# {chance.randrange(100)}")
        out.append(line)
    if chance.random() < 0.5:
        out.append(" " * chance.randrange(10) + "# end")
    return "\n".join(out) + "\n"


def test_a_key_given_twice_is_an_error():
    with pytest.raises(SpecError, match="given twice"):
        format_text(Source("job.yaml", "name: a\nname: b\n"))


def test_a_text_that_can_not_be_kept_is_left_alone(monkeypatch):
    monkeypatch.setattr("flowspec.document.text.formatting._Writer.text", lambda _: "name: b\n")
    with pytest.raises(FlowspecError, match="left as it is"):
        format_text(Source("job.yaml", "name: a\n"))
