"""Text of others can't pass for ours: in a terminal, in the log of a CI runner, and in JSON."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pytest

from flowspec.document.escaping import harmless, visible, visible_values

ODD = [
    chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x202E, 0x2028, 0x2066, 0xD800, 0xE0001)
]


@pytest.mark.parametrize("char", ODD, ids=lambda char: f"{ord(char):04x}")
def test_what_is_not_printable_is_escaped_as_in_json(char):
    assert visible(f"a{char}b").isprintable()
    assert json.loads(f'"{visible(char)}"') == char


def test_what_is_printable_stays():
    text = "Zürich 東京 → 100% 'quoted' \\n"
    assert visible(text) == text == harmless(text)


def test_lines_tabs_and_colours_of_a_report_stay():
    text = "\x1b[1;31merror[FS104]\x1b[0m\n\tcount: 2\n"
    assert harmless(text) == text
    assert harmless("\x1b]0;title\x07\x1b[2J\r") == "\\u001b]0;title\\u0007\\u001b[2J\\r"


@pytest.mark.parametrize("line", ["::error::x", "  ::add-mask::x", "\t::set-output name=a::b", "a\n::warning::x"])
def test_no_line_begins_with_a_command_of_github(line):
    assert not any(one.lstrip().startswith("::") for one in harmless(line).splitlines())
    assert harmless(line, commands=True) == line


@pytest.mark.parametrize("text", ["a ##[error]x", "##vso[task.setvariable]x", "##teamcity[x]"])
def test_no_other_command_of_a_runner_is_left(text):
    assert "##" not in harmless(text)
    assert json.loads(harmless(json.dumps(text))) == text


def test_json_stays_the_same_json():
    value = {"".join(ODD): ["::error::\u00a0\u202e", "##[group]"]}
    assert json.loads(harmless(json.dumps(value, ensure_ascii=False))) == value


def test_all_texts_of_a_value_are_made_visible():
    @dataclass(frozen=True)
    class Thing:
        name: str
        tags: dict
        parts: tuple
        when: datetime | None = None

    class Named(NamedTuple):
        name: str

    assert visible_values([Named("a\n")]) == [Named("a\\n")]
    assert type(visible_values(Named("a"))) is Named
    assert visible_values(Thing("a\n", {"k\x1b": "v\r"}, ("\t", 1))) == Thing("a\\n", {"k\\u001b": "v\\r"}, ("\\t", 1))
