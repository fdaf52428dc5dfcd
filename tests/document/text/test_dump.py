import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowspec.document.text.dump import dump
from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Source, plain
from tests.specs import rendered

TRICKY = st.sampled_from([
    "", " ", "yes", "No", "on", "off", "y", "null", "~", "true", "0", "012", "0o17", "0x1F", "1e3", "1_000", "12:30", "2024-01-01",
    "=", "<<", "-", "- a", "a: b", "a #b", "#", "{x}", "[x]", "{{ x }}", "*a", "&a", "!a", "|", ">", "%", "@", "`", "a\nb", "\ttab", "a ",
    "'", '"', "\\", "é日本", "\u2028", "\x85", "\x7f", "\ufeff", "s3://b/k", "s3://b/k: v", ".inf", ".nan", "NaN", "a:", ":a", "?", "? a", "---", "...",
])  # fmt: skip
TEXT = TRICKY | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@given(VALUES)
def test_both_kinds_of_readers_read_back_what_was_written(value):
    text = dump(value)
    node, found = compose(Source("x", text))
    assert found == []
    assert plain(node) == value
    assert yaml.safe_load(text) == value


def test_it_is_written_as_people_write_it():
    value = {
        "name": "count words",
        "steps": [{"args": ["-x", "s3://b/k"], "at": 4}, []],
        "none": None,
        "empty": {},
        "two": "a\nb",
    }
    assert dump(value) == (
        'name: count words\nsteps:\n  - args:\n      - "-x"\n      - s3://b/k\n    at: 4\n  - []\nnone: null\nempty: {}\ntwo: "a\\nb"\n'
    )


def test_secrets_are_masked_keys_too():
    assert dump({"a": "x hunter2", "hunter2": ["hunter2"], "port": 42}, {"hunter2", "42"}) == (
        'a: "x (sensitive)"\n"(sensitive)":\n  - "(sensitive)"\nport: "(sensitive)"\n'
    )


def test_a_rendered_document_says_what_the_api_will_be_told(tmp_path):
    text = dump(
        rendered(
            tmp_path,
            "flowspec: v1\nname: x\nvariables: {v: {default: 1.10}}\ntags: {a: 0.10, b: true, c: '{{ v }}'}\nnum_instances: 0x10\n",
        )
    )
    assert text == 'flowspec: v1\nname: x\ntags:\n  a: "0.10"\n  b: "true"\n  c: "1.10"\nnum_instances: 16\n'
    assert dump(rendered(tmp_path, text)) == text
