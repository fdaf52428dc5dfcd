from datetime import datetime, timedelta, timezone

import pytest

from flowspec.errors import SpecError
from flowspec.spec import load, render
from flowspec.spec.document import plain


@pytest.fixture
def rendered(tmp_path):
    def make(text, **options):
        path = tmp_path / "job.yaml"
        path.write_text(text)
        return render(load(path), **{"environ": {}, **options})

    return make


def ids(document):
    return [found.id for found in document.diagnostics]


TWO = "targets: {a: {backend: local, name: A}, b: {default: true, name: B}}\nname: '{{ target }}'\n"


def test_the_default_target_is_taken_else_the_only_one_else_none(rendered):
    assert rendered(TWO).target == "b"
    assert rendered(TWO, target="a").target == "a"
    assert rendered("targets: {a: {}}").target == "a"
    assert rendered("targets: {a: {}, b: {}}").target == ""
    assert rendered("name: x").target == ""


def test_a_target_without_a_body_is_a_target(rendered):
    document = rendered("targets: {a: }\nname: '{{ target }}'")
    assert plain(document.root) == {"name": "a"}


def test_an_unknown_target_ends_it(rendered):
    with pytest.raises(SpecError, match="there is no target 'c'"):
        rendered(TWO, target="c")


def test_values_remember_where_they_came_from(rendered):
    document = rendered(
        "variables: {n: {type: integer, default: 2}}\n"
        "targets: {a: {variables: {n: 3}, tags: {team: x, n: '{{ n }}'}}}\n"
        "tags: {team: y, cost: z}\nnum_instances: '{{ n }}'\n"
    )
    assert plain(document.root) == {"tags": {"team": "x", "cost": "z", "n": 3}, "num_instances": 3}
    assert document.find(("tags", "team")).origin == "target a"
    assert document.find(("tags", "cost")).origin == ""
    assert document.find(("num_instances",)).origin == "variable n (the target)"
    assert document.find(("tags", "n")).origin == "target a, variable n (the target)"
    assert document.find(("num_instances",)).at.location.line == 4


def test_the_clock_is_given_once(rendered):
    east = timezone(timedelta(hours=9))
    text = "name: '{{ ds }} {{ ts }}'"
    document = rendered(text, now=datetime(2026, 11, 23, 5, 6, 7, tzinfo=east))
    assert plain(document.root) == {"name": "2026-11-22 20261122T200607Z"}
    again = rendered(text, now=datetime(2026, 11, 23, 5, 6, 7, tzinfo=east))
    assert plain(again.root) == plain(document.root)


def test_only_declared_environment_is_read(rendered, monkeypatch):
    monkeypatch.setenv("DECLARED", "yes")
    monkeypatch.setenv("FLOWSPEC_VAR_b", "also")
    document = rendered("variables: {a: {env: DECLARED}, b: {}}\nname: '{{ a }} {{ b }}'", environ=None)
    assert plain(document.root) == {"name": "yes also"}
    assert ids(rendered("name: '{{ environ }}{{ env }}{{ HOME }}'")) == ["FS321"]


def test_values_from_outside_are_never_templates(rendered):
    text = "variables: {a: {}, b: {}}\nname: '{{ a }}{{ b }}'"
    document = rendered(text, variables={"a": "{{ 1 + 1 }}"}, environ={"FLOWSPEC_VAR_b": "{{ a }}"})
    assert plain(document.root) == {"name": "{{ 1 + 1 }}{{ a }}"}


def test_a_value_can_not_break_out_of_its_place(rendered):
    document = rendered(
        "variables: {a: {}}\ntags: {x: '{{ a }}', y: 1}", variables={"a": "z\nkeep_alive: true\n- {b: c"}
    )
    assert plain(document.root) == {"tags": {"x": "z\nkeep_alive: true\n- {b: c", "y": 1}}


def test_python_values_may_be_given(rendered):
    text = "variables: {n: {type: integer}, l: {type: list}, s: {}}\nname: ['{{ n }}', '{{ l }}', '{{ s }}']"
    document = rendered(text, variables={"n": 3, "l": ["a"], "s": 5})
    assert plain(document.root) == {"name": [3, ["a"], "5"]}
    assert ids(rendered(text, variables={"n": True, "l": {}, "s": ["x"]})) == ["FS303"] * 3


def test_secrets_are_known_by_their_text(rendered):
    text = (
        "variables:\n  a: {sensitive: true, default: hunter2}\n  b: {sensitive: true, type: list, default: [x1, 22]}\n"
        "  c: {default: open}\nname: '{{ a }}{{ b }}{{ c }}'"
    )
    assert rendered(text).secrets == {"hunter2", "x1", "22"}


def test_what_failed_is_marked_and_not_complained_about_again(rendered):
    document = rendered("name: '{{ nope }}'\nvariables: {m: {}}\nlog_uri: '{{ m }}'\ntags: {'{{ nope }}': 1}")
    assert ids(document) == ["FS302", "FS321", "FS321"]
    assert document.find(("name",)).failed
    assert document.find(("log_uri",)).failed


def test_rendering_twice_changes_nothing(rendered):
    document = rendered("name: x")
    assert render(document) is document


def test_loops_have_their_names_only_inside(rendered):
    text = "steps:\n  - {name: '{{ item }}{{ index }}', for_each: [a, b]}\n  - {name: '{{ item }}'}"
    document = rendered(text)
    assert plain(document.root)["steps"][:2] == [{"name": "a0"}, {"name": "b1"}]
    assert ids(document) == ["FS321"]


def test_templates_can_not_multiply_without_measure(rendered):
    step = "{name: x, type: command, args: [" + ", ".join(["'{{ ds * 4000 }}'"] * 300) + "]}"
    document = rendered(f"steps:\n  - &s {step}\n" + "  - *s\n" * 150)
    assert "FS324" in ids(document)
