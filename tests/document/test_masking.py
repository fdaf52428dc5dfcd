"""Nothing secret is shown."""

import json
import random
import shlex

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.escaping import visible
from flowspec.document.masking import MaskingWriter, lookback_length, mask, mask_bytes
from flowspec.errors import SpecError, shorten
from flowspec.report.diagnostics import as_text
from tests.specs import rendered
from tests.work import counted_calls


@pytest.mark.parametrize(
    ("value", "secrets", "shown"),
    [
        ("user:hunter2@host", {"hunter2"}, "user:(sensitive)@host"),
        (
            {"password": "hunter2", "hunter2": [1, "x hunter2"]},
            {"hunter2"},
            {"password": "(sensitive)", "(sensitive)": [1, "x (sensitive)"]},
        ),
        (4711, {"4711"}, "(sensitive)"),
        (True, {"4711"}, True),
        ("plain", set(), "plain"),
        ("plain", {""}, "plain"),
        # One secret is a part of another: the longer goes first, or its end would be left standing.
        ("abcdef", {"abc", "abcdef"}, "(sensitive)"),
        ("abcd", {"abc", "bcd"}, "(sensitive)"),
        # It overlaps itself, and begins anew where it has ended.
        ("xabababy", {"abab"}, "x(sensitive)y"),
        ("xabaababay", {"aba"}, "x(sensitive)(sensitive)y"),
        ("a" * 1_000, {"a" * 300}, "(sensitive)"),
        # The mask is not masked.
        ("my sens", {"sens", "(s"}, "my (sensitive)"),
        # A letter or two tells nothing; masked, it would tell what it is.
        ("exit code 3 after 3 steps", {"3"}, "exit code 3 after 3 steps"),
        ("3", {"3"}, "(sensitive)"),
        # A secret of several lines may be printed line by line, and indented.
        ("    | -----BEGIN KEY-----", {"-----BEGIN KEY-----\nMIIEow\n"}, "    | (sensitive)"),
        ("{", {"{\n  pw: x\n}"}, "(sensitive)"),
        ("a { b", {"{\n  pw: x\n}"}, "a { b"),
        (None, {"x"}, None),
    ],
)
def test_mask(value, secrets, shown):
    assert mask(value, secrets) == shown


class Shown(list):
    """Returns the pieces of text that a writer passes on."""

    @property
    def text(self):
        return b"".join(self).decode()


def test_a_secret_that_arrives_in_pieces():
    shown = Shown()
    writer = MaskingWriter(shown.append, {"hunter2secret"})
    writer.write(b"pw: hunter2")
    assert shown.text == "pw: "
    writer.write(b"")
    assert shown.text == "pw: "
    writer.write("secret, and")
    assert shown.text == "pw: (sensitive), and"
    writer.write(b" hunt")
    writer.close()
    assert shown.text == "pw: (sensitive), and hunt"


def test_only_what_may_begin_a_secret_is_held_back():
    shown = Shown()
    writer = MaskingWriter(shown.append, {"x" * 1000 + "y"})
    writer.write(b"a line\n")
    assert shown.text == "a line\n"
    writer.write(b"x" * 3000)
    assert shown.text == "a line\n" + "x" * 2000


@pytest.mark.parametrize(
    "secrets",
    [
        {"abc", "bcd"},
        {"aab", "abaab"},
        {"aaa"},
        {"abab"},
        {"a\nbb\nccc"},
        {"abc", "abcabd"},
        {"b" * 9, "ab"},
        {"a'b"},
        set(),
    ],
)
def test_how_it_is_cut_makes_no_difference(secrets):
    chosen = random.Random(str(sorted(secrets)))
    for _ in range(100):
        text = "".join(chosen.choices("abcd\n'", weights=[9, 9, 4, 2, 1, 1], k=60))
        shown = Shown()
        writer = MaskingWriter(shown.append, secrets)
        at = 0
        while at < len(text):
            size = chosen.randint(1, 7)
            writer.write(text[at : at + size])
            at += size
        writer.close()
        assert shown.text == mask(text, secrets) == mask_bytes(text.encode(), secrets).decode()


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (2, "ok"),
        (3, " ok"),
        (4, " ok"),  # starts inside of the secrets, which overlap
        (16, " ok"),
        (17, "(sensitive) ok"),
        (18, " (sensitive) ok"),
        (21, "pw: (sensitive) ok"),
        (99, "pw: (sensitive) ok"),
    ],
)
def test_the_rest_of_a_secret_is_not_shown_by_a_tail(size, wanted):
    secrets = {"hunter2secret", "cret,"}
    tail = b"pw: hunter2secret, ok"[-size - lookback_length(secrets) :]
    assert mask_bytes(tail, secrets, hidden=max(0, len(tail) - size)).decode() == wanted


@pytest.mark.parametrize("text", ["hunter2 secret's é", "ab\nhunter2 secret", 'say "hunter2"', "hunter2"])
@pytest.mark.parametrize("form", [str, json.dumps, shlex.quote, visible])
def test_a_secret_that_a_message_shortens_is_masked(text, form):
    for most in range(4, 40):
        message = f"'{shorten(f'it is {form(text)} and more', most + 6)}' is no number"
        shown = mask(message, {text})
        assert not any(part in shown for part in ("hun", "ecr", "say")), shown


def test_an_ellipsis_alone_masks_nothing():
    assert mask("wait… and the hu…", {"hunter2", "…"}) == "wait… and the hu…"


LONG = "hunter2-" * 20


@pytest.mark.parametrize(
    "line",
    [
        'keep_alive: "{{ pw }}"',
        'release_label: "a {{ pw }}"',
        'action_on_failure: "{{ pw }}"',
        'log_uri: "{{ pw }}"',
        'applications: "{{ pw }}"',
        'hooks: {on_end: [{webhook: "{{ pw }}"}]}',
        '"{{ pw }}": 1',
        'log_uri: "{{ pw | days(1) }}"',
        'log_uri: "{{ [1][[pw]] }}"',
    ],
)
def test_no_message_shows_the_beginning_of_a_long_secret(line, tmp_path):
    text = f"flowspec: v1\nname: n\nvariables: {{pw: {{type: string, sensitive: true}}}}\n{line}\n"
    with pytest.raises(SpecError) as error:
        validate(rendered(tmp_path, text, variables={"pw": LONG}))
    assert "unt" not in as_text(error.value.diagnostics)


def test_secrets_that_are_in_no_text_take_hardly_any_work():
    secrets = frozenset(f"secret{number:05}" for number in range(1_000))
    assert mask("secret00007!", secrets) == "(sensitive)!"
    with counted_calls() as work:
        mask(["nothing to hide"] * 100, secrets)
    assert work.calls < 10_000


def test_an_empty_line_of_a_secret_hides_no_empty_text():
    secrets = {"-----BEGIN-----\n\nhunter2hunter2"}
    assert mask(["", "''", "hunter2hunter2"], secrets) == ["", "''", "(sensitive)"]
    assert lookback_length(()) == 0
