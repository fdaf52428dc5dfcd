"""Templates in a spec: the places of their errors, where their values came from, secrets, unused variables."""

import pytest


def test_a_name_that_a_template_sets_is_no_use_of_a_variable(rendered):
    document = rendered(
        "variables: {zone: {default: a}, day: {default: b}, port: {default: c}}\n"
        "tags: {a: '{% set zone = 1 %}{% for day in [1] %}{{ day }}{% endfor %}{{ zone }}{{ port }}'}\n"
    )
    unused = [one.message for one in document.diagnostics]
    assert unused == ["nothing uses the variable 'zone'", "nothing uses the variable 'day'"]


def test_origins_and_secrets_go_through_loops_assignments_and_macros(rendered):
    document = rendered(
        "variables: {password: {sensitive: true, default: hunter2}, zones: {type: list, default: [a, b]}}\n"
        "tags:\n"
        "  loop: '{% for z in zones %}{{ z }}{{ password | reverse }}{% endfor %}'\n"
        "  set: '{% set p = password | b64encode %}{{ p }}'\n"
        "  macro: '{% macro m(x) %}{{ x | upper }}{% endmacro %}{{ m(password) }}'\n"
    )
    assert document.secrets == {"hunter2", "a2retnuhb2retnuh", "aHVudGVyMg==", "HUNTER2"}
    origin = document.find(("tags", "loop")).origin
    assert origin.startswith("variable password (its default, ")
    assert "variable zones (its default, " in origin
    assert "variable p" not in document.find(("tags", "set")).origin.replace("variable password", "")


@pytest.mark.parametrize(
    ("scalar", "line", "column"),
    [
        ("|\n  {% if true %}\n  {{ nope }}\n  {% endif %}", 3, 6),
        ("|\n  {{ ds }}\n  x {{ 1 / 0 }}", 3, 5),
        ("|\n  {{ ds }}\n  {% for a in [1] %}\n  {{ 1 / 0 }}{% endfor %}", 4, 3),
        (">-\n  {{ ds }}\n  and {{ ds }}\n  {{ ds | nope }}", 4, 11),
        (">-\n  a {{ ds }}\n  {{ ds + }}", 3, 3),
        ('"{{ ds }}\n  {{ ds }} {{ item }}"', 2, 15),
        ("'{{ ds }} {{ ds.x }}'", 1, 34),
        ("|\n  {% set a = 1 %}\n\n  {% include 'a' %}", 4, 3),
        ("|\n  {% set a = 1 %}\n  {% if %}\n  {% endif %}", 3, 3),
    ],
)
def test_an_error_is_placed_in_the_scalar_on_its_line(rendered, scalar, line, column):
    (found,) = rendered(f"additional_info: {scalar}\n").diagnostics
    assert (found.location.line, found.location.column) == (line, column)
