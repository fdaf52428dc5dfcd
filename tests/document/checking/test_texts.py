"""Paths that begin with a tilde, and characters that were pasted from a document."""

import pytest

from flowspec.document.checking.rules import check_rules

WHOLE = {"name": "x", "backend": "local"}


def found(spec):
    return [(one.id, *one.path) for one in check_rules({**WHOLE, **spec})]


def step(type_, **keys):
    return {"steps": [{"name": "s", "type": type_, **keys}]}


@pytest.mark.parametrize("command", ["~/m.py", "~hadoop/m.py -x", "python3 ~/m.py", "/usr/bin/perl -w ~/m.pl"])
@pytest.mark.parametrize("key", ["mapper", "combiner", "reducer"])
def test_a_program_at_a_tilde_is_never_found(key, command):
    assert found(step("streaming", **{key: command})) == [("FS408", "steps", 0, key)]


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (step("streaming", files=["a", "~/b"]), ("files", 1)),
        (step("streaming", jar="~/streaming.jar"), ("jar",)),
        (step("spark", application="~/app.py"), ("application",)),
        (step("spark", py_files=["~/a.py"]), ("py_files", 0)),
        (step("script", script="~/run.sh"), ("script",)),
        (step("jar", jar="~/x.jar"), ("jar",)),
    ],
)
def test_a_file_at_a_tilde_is_never_found(spec, place):
    assert found(spec) == [("FS408", "steps", 0, *place)]


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (step("streaming", input="~/in"), ("steps", 0, "input")),
        (step("streaming", output="~/out"), ("steps", 0, "output")),
        # A program may expand it itself.
        (step("streaming", mapper="tool --words ~/w"), ("steps", 0, "mapper")),
        (step("s3_dist_cp", dest="~/out"), ("steps", 0, "dest")),
        (step("hive", script="~/x.q"), ("steps", 0, "script")),
        (step("command", args=["aws", "~/in"]), ("steps", 0, "args", 1)),
        ({"bootstrap_actions": [{"name": "b", "path": "~/b.sh"}]}, ("bootstrap_actions", 0, "path")),
    ],
)
def test_a_tilde_that_may_be_a_folder_or_be_expanded_later_is_warned_of(spec, place):
    assert found(spec) == [("FS238", *place)]


@pytest.mark.parametrize(
    "spec",
    [
        step("streaming", mapper="bash -c 'sort ~/words'", reducer="awk '$1 ~/x/'"),
        step("streaming", mapper="sh -c ~/run.sh"),
        step("streaming", mapper="grep ~", input="s3://acme/~user/"),
        step("streaming", mapper="cat", properties={"a": "~/b"}, cmdenv={"HOME": "~/x"}),
        step("command", args=["bash", "-c", "~/run.sh"]),
        step("command", args=["sudo", "bash", "-lc", "~/run.sh"]),
    ],
)
def test_a_tilde_that_a_shell_expands_or_that_is_none_is_left_alone(spec):
    assert found(spec) == []


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"name": "“count”"}, ("name",)),
        ({"name": "\u2018count\u2019"}, ("name",)),
        (step("streaming", mapper="awk \u2018{print $1}\u2019"), ("steps", 0, "mapper")),
        (step("streaming", mapper="python3\u00a0m.py"), ("steps", 0, "mapper")),
        (step("streaming", input="s3://acme/in/\u200b"), ("steps", 0, "input")),
        (step("streaming", input="s3://acme/a\u00a0b/"), ("steps", 0, "input")),
        (step("command", args=["tool", "--day\u00a02026"]), ("steps", 0, "args", 1)),
        ({"tags": {"team": "search\u00a0"}}, ("tags", "team")),
    ],
)
def test_characters_that_were_pasted_are_warned_of(spec, place):
    assert found(spec) == [("FS017", *place)]


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "Anna\u2019s “best” words"},
        {"name": "5\u00a0000 words"},
        {"description": "“The” words\u00a0"},
        step("streaming", mapper="grep “"),
        step("streaming", mapper="sed 's/“x”/y/'"),
        step("command", args=["tool", "5\u00a0000 words"]),
    ],
)
def test_characters_of_prose_and_patterns_are_left_alone(spec):
    assert found(spec) == []
