import os
import re
from pathlib import Path
from threading import Timer

import pytest

from flowspec.document.rendering.render import render
from flowspec.document.text.parse import MAX_BYTES, load, resolve
from flowspec.document.text.tree import plain, scalars
from flowspec.errors import SpecError
from flowspec.request.policy import read as read_policy
from tests.work import counted_calls


def write(tmp_path, text):
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(SpecError) as caught:
        load(path)
    return caught.value.diagnostics[-1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRUE", "tRUE"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("0", 0), ("-1", -1), ("+12", 12), ("0x1F", 31), ("0o17", 15), ("0b1", "0b1"), ("1_000", "1_000"),
        ("012", "012"), ("012345670123", "012345670123"), ("-0", 0), ("00", "00"),
        ("0.10", 0.1), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-2", -0.015), ("01.5", "01.5"),
        (".inf", ".inf"), ("-.inf", "-.inf"), (".nan", ".nan"), ("1e999", "1e999"), (".", "."), ("-", "-"), ("e5", "e5"),
        ("12:30", "12:30"), ("12:30:45", "12:30:45"), ("2024-01-01", "2024-01-01"), ("1.2.3", "1.2.3"), ("./run.sh", "./run.sh"),
        ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_plain_scalars_are_yaml_1_2_core(text, value):
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_every_value_knows_its_place(tmp_path):
    path = write(tmp_path, 'a: xyz\nb:\n  - "q: r"\n  - {c: 10}\nd: é日本 # no\ne: |\n  two\n  lines\n')
    document = load(path)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    places = [node.at.location for node in scalars(document.root)]
    shown = [lines[at.line - 1][at.column - 1 : at.column - 1 + at.width] for at in places]
    assert shown == ["a", "xyz", "b", '"q: r"', "c", "10", "d", "é日本", "e", "|"]
    assert document.find(("b", 1, "c")).at.location.line == 4
    assert document.find(("b", 7)) is None


def test_plain_and_quoted_are_told_apart(tmp_path):
    root = load(write(tmp_path, 'a: 4\nb: "4"\nc: !!str 4\nd: ! 4\n')).root
    assert plain(root) == {"a": 4, "b": "4", "c": "4", "d": "4"}
    assert [root.get(key).plain for key in "abcd"] == [True, False, True, True]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [2,\r\n  3]\r\n")
    document = load(path)
    assert plain(document.root) == {"a": 1, "b": [2, 3]}
    assert document.root.get("b").items[1].at.location.line == 3


def test_five_megabytes_of_aliases_are_refused_at_once(tmp_path):
    levels = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for here, below in zip("bcdefghi", "abcdefgh", strict=True):
        levels.append(f"{here}: &{here} [{', '.join([f'*{below}'] * 9)}]")
    text = "\n".join(levels) + f"\nz: [{', '.join(['*i'] * 1_300_000)}]\n"
    assert len(text) > 5_000_000
    path = write(tmp_path, text)
    with counted_calls() as work:
        found = refusal(path)
    assert work.calls < 10_000
    assert found.id == "FS009"
    assert found.location.line <= 10


def test_a_flat_list_of_aliases_is_refused_too(tmp_path):
    path = write(tmp_path, f"a: &a x\nz: [{', '.join(['*a'] * 1_300_000)}]\n")
    with counted_calls() as work:
        assert refusal(path).id == "FS009"
    assert work.calls < 1_000_000


def test_deep_nesting_is_refused(tmp_path):
    assert refusal(write(tmp_path, "a: " + "[" * 100_000)).id == "FS010"
    assert refusal(write(tmp_path, "".join(f"{' ' * n}a:\n" for n in range(300)))).id == "FS010"


def test_a_large_file_is_read_to_its_end(tmp_path):
    text = "flowspec: v1\n" + "# A line.\n" * 20_000 + "name: a\n"
    assert list(load(write(tmp_path, text)).root.entries) == ["flowspec", "name"]


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal(path).id == "FS010"


def test_thousands_of_steps_cost_no_more_than_their_number(tmp_path):
    def calls(count):
        steps = "".join(f"  - {{name: s{n}, type: jar, jar: s3://b/{n}.jar, args: [a, b]}}\n" for n in range(count))
        path = write(tmp_path, f"flowspec: v1\nname: x\nsteps:\n{steps}")
        with counted_calls() as work:
            load(path)
        return work.calls

    assert calls(2_000) < 20 * calls(200)


def test_a_special_file_is_read_and_found_wanting():
    assert refusal("/dev/null").id == "FS004"


def test_a_file_that_can_not_be_opened_says_why(tmp_path):
    # Permission is no obstacle to root; a loop of links is one to everybody.
    path = tmp_path / "job.yaml"
    path.symlink_to(path)
    found = refusal(path)
    assert found.id == "FS001"
    assert "symbolic links" in found.message


@pytest.mark.parametrize("id_", ["FS001", "FS310"])
def test_a_pipe_is_not_waited_for(tmp_path, id_):
    path = tmp_path / "job.yaml"
    os.mkfifo(path)
    # Who waits for a writer gets one that says nothing.
    writer = Timer(5, lambda: os.close(os.open(path, os.O_WRONLY)))
    writer.start()
    with pytest.raises(SpecError, match="this is a FIFO, not a file") as caught:
        load(path) if id_ == "FS001" else render_with(path)
    writer.cancel()
    assert [one.id for one in caught.value.diagnostics] == [id_]


def test_the_pipes_of_a_shell_are_read(tmp_path):
    name = write(tmp_path, "flowspec: v1\nname: x\n")
    reader, writer = os.pipe()
    os.write(writer, name.read_bytes())
    os.close(writer)
    assert load(f"/dev/fd/{reader}")
    os.close(reader)


def render_with(path):
    other = path.with_name("other.yaml")
    other.write_text("flowspec: v1\nname: x\n")
    return render(load(other), environ={}, variable_files=[path])


NETRC = "machine example.com login me password hunter2\n  token: [abc\n"


@pytest.mark.parametrize("content", [NETRC, "flowspec: v1\nname: hunter2\n", "- hunter2\n"])
@pytest.mark.parametrize("way", [load, render_with, read_policy])
def test_a_link_to_a_file_elsewhere_shows_nothing_of_it(tmp_path, content, way):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text(content)
    folder = tmp_path / "repo" / "jobs"
    folder.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    (folder / "job.yaml").symlink_to("../../home/.netrc")
    with pytest.raises(SpecError, match="is a link that leads out of its repository or folder") as caught:
        way(folder / "job.yaml")
    assert "hunter2" not in repr(caught.value.diagnostics)
    assert caught.value.diagnostics[0].hint == "name the file itself"


def test_links_within_a_repository_or_folder_are_followed(tmp_path):
    for place in ("a/job.yaml", "b/..data/job.yaml"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text("flowspec: v1\nname: x\n")
    # As Kubernetes mounts a ConfigMap.
    (tmp_path / "b" / "job.yaml").symlink_to("..data/job.yaml")
    assert load(tmp_path / "b" / "job.yaml")
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "linked.yaml").symlink_to("../a/job.yaml")
    assert load(tmp_path / "b" / "linked.yaml")
    # The folder is the user's choice, and not the repository's.
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path / "a")
    assert load(tmp_path.parent / f"{tmp_path.name}-link" / "job.yaml")


def test_what_a_shell_hands_over_is_read(tmp_path):
    read_end, write_end = os.pipe()
    os.write(write_end, b"flowspec: v1\nname: x\n")
    os.close(write_end)
    assert load(f"/dev/fd/{read_end}")
    os.close(read_end)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("before", "mine", "theirs", "line"),
    [
        ("", "flowspec: v1\nname: a\n", "flowspec: v1\nname: b\n", 1),
        ("flowspec: v1\n", "name: a\n", "name: b\n", 2),
        ("flowspec: v1\nsteps:\n  - run: |\n      one\n", "      two\n", "      three\n", 5),
        ("flowspec: v1\ntags: {a: b,\n", "c: d}\n", "e: f}\n", 3),
    ],
)
def test_a_merge_conflict_is_named_at_its_first_marker(tmp_path, ending, before, mine, theirs, line):
    text = f"{before}<<<<<<< HEAD\n{mine}=======\n{theirs}>>>>>>> branch\n"
    path = tmp_path / "job.yaml"
    path.write_bytes(text.replace("\n", ending).encode())
    with pytest.raises(SpecError) as raised:
        load(path)
    (found,) = raised.value.diagnostics
    assert (found.id, found.message) == ("FS003", "a merge conflict is not resolved")
    assert (found.location.line, found.location.column) == (line, 1)
    assert found.source == "<<<<<<< HEAD"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a:\n  b:\u00a0c\n  d: e", 2, 5),
        ("a:\n\u00a0 b: c\n  d: e", 2, 1),
        ("a:\n  b: c\n\u3000 d: e\n  f: g", 3, 1),
        ("a:\n  -\u00a0b: c\n    d: e", 2, 4),
    ],
)
def test_a_character_that_only_looks_like_a_space_is_shown(tmp_path, text, line, column):
    found = refusal(write(tmp_path, text))
    assert (found.id, found.location.line, found.location.column) == ("FS003", line, column)
    assert re.fullmatch(r"this is not an ordinary space \(U\+(00A0|3000)\): replace it with one", found.hint)


@pytest.mark.parametrize("dash", "\u2010\u2013\u2014\u2212\u2022")
def test_a_character_that_only_looks_like_a_hyphen_is_shown(tmp_path, dash):
    found = refusal(write(tmp_path, f"a:\n  {dash} b: 1\n    c: 2"))
    assert (found.id, found.location.line, found.location.column) == ("FS003", 2, 3)
    assert found.hint == f"this is not an ordinary hyphen (U+{ord(dash):04X}): replace it with one"


@pytest.mark.parametrize("text", ["a: 1\nb:2\n\nc: 3", "a: 1\nb = 2\nc: 3", "a: 1\n'b: 2\nc: 3\n"])
def test_a_key_without_a_colon_and_an_open_quote_are_shown_at_their_line(tmp_path, text):
    found = refusal(write(tmp_path, text))
    assert (found.id, found.location.line, found.location.column) == ("FS003", 2, 1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: [\nb:\n  - c", "close the bracket that a line above opens"),
        ("a: b: c", 'put quotes around a text that contains ": "'),
        ("a: 1\n  b: 2", "the same indentation"),
        ("a:1\nb: 2", "a space after the colon"),
        ("a:\n    x: 1\n  y: 2", "the same indentation"),
        ("a:\n  - b\n - c", "the same indentation"),
        ("- a\nb: 1", "the same indentation"),
        ("a:\n\t- b", "indent with spaces"),
        ("a: @b", "put quotes around a text that begins with @"),
        ("a: %b", "put quotes around a text that begins with %"),
        ("a: [*.csv]", "put quotes around a text that begins with * or &"),
        ("a: 1\nb\nc: 2", "a key has a colon and a space after it"),
        ('a: "\\d+"', "write the backslash twice"),
        ('a: "b\nc: 1', "close the quote"),
        ('a: "b\nc: "d"', "a quote from an earlier line ends here"),
        ("a: 'b\nc: 'd'", "a quote from an earlier line ends here"),
        ("a: {b: c/{{ d }}}", "put quotes around the text that has a template in it"),
        ("a: [c/{{ d }}]", "put quotes around the text that has a template in it"),
        ("a: “b: c”", "“ is a typographic quote: write straight quotes"),
        ("a: [“{{ b }}”]", "“ is a typographic quote: write straight quotes"),
        ("a: {b: \u2018{{ c }}\u2019}", "\u2018 is a typographic quote: write straight quotes"),
        ("a: 'it's'", "put quotes around the whole text"),
        ("a: [b, c\nd: 1", "close the bracket"),
        ("a: {b: c\nd: 1", "close the bracket"),
        ("a: [b #c", "close the bracket"),
        ("a: [b]]", "remove the ], or open its bracket"),
        ("a: - b", "begin a list on the line after its key"),
    ],
)
def test_what_is_not_yaml_has_a_remedy(tmp_path, text, hint):
    found = refusal(write(tmp_path, text))
    assert found.id == "FS003"
    assert hint in found.hint


def test_markers_in_a_text_are_no_conflict(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("flowspec: v1\nname: a\ndescription: |\n  <<<<<<< HEAD\n  =======\n")
    assert "<<<<<<< HEAD" in plain(load(path).root)["description"]
