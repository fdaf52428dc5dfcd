"""The guides in examples/ teach what is true: every command in them is run, and prints what the guide shows."""

import pytest

from tests.guides import ROOT, commands, run

PAGES = sorted((ROOT / "examples").glob("*/README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_commands_of_a_guide_print_what_it_shows(page, tmp_path):
    assert commands(page), f"{page} has no ```console block"
    run(page, tmp_path)


def test_a_guide_that_shows_another_output_is_found(tmp_path):
    page = tmp_path / "guide" / "README.md"
    page.parent.mkdir()
    page.write_text("```console\n$ echo one; echo two \\\n  three\none\n...\n$ echo four\n5\n```\n")
    with pytest.raises(AssertionError, match="echo four"):
        run(page, tmp_path / "copy")


def test_a_slow_machine_prints_what_a_guide_shows(tmp_path):
    page = tmp_path / "guide" / "README.md"
    page.parent.mkdir()
    page.write_text("```console\n$ echo '1 passed in 1 min 03 s'\n1 passed in 5.0 s\n```\n")
    run(page, tmp_path / "copy")
