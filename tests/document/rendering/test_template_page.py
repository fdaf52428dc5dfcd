"""`flowspec explain templates`: every filter, test and function has an example there, and the examples are true."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner
from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_TESTS

from flowspec.cli import root as cli
from flowspec.document.pages import page
from flowspec.document.rendering.jinja.extras import EXTRAS
from flowspec.document.rendering.jinja.filters import FILTERS, TESTS
from flowspec.document.rendering.jinja.methods import FUNCTIONS
from flowspec.document.rendering.templates import evaluate

PAGE = page("templates")
EXAMPLES = re.findall(r"^(\S+) +(\S.*?) +→ (.+)$", PAGE, re.MULTILINE)
NAMES = {
    **yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]),
    "ds": "2026-11-22",
    "ts": "20261122T050000Z",
    "target": "",
}
REFUSED = {"random"}


@pytest.mark.parametrize(("name", "template", "result"), EXAMPLES, ids=lambda text: text[:40])
def test_each_example_gives_what_the_page_says(name, template, result):
    value = evaluate(template, NAMES)
    assert value == json.loads(result)
    assert type(value) is type(json.loads(result))


def test_everything_that_there_is_has_an_example_that_uses_it():
    shown = {name for name, template, _ in EXAMPLES if name.strip("=<>!") == "" or name in template}
    assert {*FILTERS, *TESTS, *FUNCTIONS, *EXTRAS} <= shown


def test_all_filters_and_tests_of_the_installed_jinja_are_there():
    assert set(DEFAULT_FILTERS) - set(FILTERS) == REFUSED
    assert set(DEFAULT_TESTS) == set(TESTS)


def test_the_command_prints_the_page():
    done = CliRunner().invoke(cli, ["explain", "templates"])
    assert done.exit_code == 0
    assert "{{ regions | join(',') }}" in done.output
