import os

import pytest

from flowspec.engines.streaming.run.commands import Reporter, find_program, split_words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat", ["cat"]),
        ("a  b\tc ", ["a", "b\tc"]),
        ("a'b c'd", ["a", "b c", "d"]),
        ("--x='1 2'", ["--x=", "1 2"]),
        ('m \'\' "" "it\'s" \'say "hi"\'', ["m", "it's", 'say "hi"']),
        ("echo 'open to the end", ["echo", "open to the end"]),
        ("echo $HOME *.txt a\\ b | wc", ["echo", "$HOME", "*.txt", "a\\", "b", "|", "wc"]),
        ("   ", []),
    ],
)
def test_words_of_a_command(command, words):
    assert split_words(command) == words


def test_a_program_is_looked_for_here_first_and_made_executable(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in (tmp_path / "tool", folder / "tool", folder / "other"):
        place.write_text("x")
    assert find_program("tool", tmp_path, str(folder)) == str(tmp_path / "tool")
    assert os.access(tmp_path / "tool", os.X_OK)
    assert find_program("other", tmp_path, str(folder)) == str(folder / "other")
    assert find_program("nowhere", tmp_path, str(folder)) == "nowhere"
    assert find_program("/abs/olute", tmp_path, str(folder)) == "/abs/olute"


def heard(text, prefix="reporter:"):
    counts, states, warnings = [], [], []
    reporter = Reporter(
        prefix, count=lambda *counter: counts.append(counter), status=states.append, warn=warnings.append
    )
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    reporter.listen(reading)
    os.close(reading)
    return counts, states, warnings


def test_what_a_command_reports():
    counts, states, warnings = heard(
        b"reporter:counter:G,ok,5\r\nreporter:counter: G , spaced ,7 \nreporter:counter:G,,+3\n"
        b"reporter:status: half way \rreporter:counter:G,down,-2"
    )
    assert counts == [("G", "ok", 5), ("G ", " spaced ", 7), ("G", "", 3), ("G", "down", -2)]
    assert states == ["half way"]
    assert warnings == []


def test_what_a_command_reports_badly():
    counts, _, warnings = heard(
        b"@@counter:G,two\n@@counter:G,a,b,1\n@@counter:G,x,1.5\n@@counter:G,x,\n@@other:1\n@@counter:G,x,9223372036854775808\n",
        "@@",
    )
    assert counts == []
    assert warnings == [
        "Cannot parse counter line: @@counter:G,two",
        "Cannot parse counter line: @@counter:G,a,b,1",
        "Cannot parse counter increment '1.5' from line: @@counter:G,x,1.5",
        "Cannot parse counter line: @@counter:G,x,",
        "Cannot parse reporter line: @@other:1",
        "Cannot parse counter increment '9223372036854775808' from line: @@counter:G,x,9223372036854775808",
    ]


def test_other_lines_are_passed_on(capfd):
    heard(b"an ordinary line\n reporter:counter:G,indented,1\n")
    assert capfd.readouterr().err == "an ordinary line\n reporter:counter:G,indented,1\n"
