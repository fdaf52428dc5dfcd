import os
import re
from datetime import datetime, timedelta, timezone

import pytest

from flowspec.document.rendering.render import render
from flowspec.document.rendering.step_list import load_steps
from flowspec.document.text.parse import load
from flowspec.document.text.tree import plain
from flowspec.errors import SpecError


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
    target = f"{document.path}:2"
    assert document.find(("num_instances",)).origin == f"variable n (the target, {target})"
    assert document.find(("tags", "n")).origin == f"target a, variable n (the target, {target})"
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


SECRET = (
    "variables: {t: {sensitive: true, default: 'hun/ter2,abc'}, l: {sensitive: true, type: list, default: [pq/rst]}}\n"
)


@pytest.mark.parametrize(
    ("loop", "template", "text"),
    [
        ("'{{ t.split(\",\") }}'", "{{ item }}", "hun/ter2"),
        ("['{{ t }}']", "{{ item | upper }}", "HUN/TER2,ABC"),
        ("'{{ l }}'", "{{ item[:4] }}", "pq/r"),
        ("[{token: '{{ t }}', zone: us-east}]", "{{ item.zone }}{{ item.token | reverse }}", "us-eastcba,2ret/nuh"),
        ("[{token: '{{ t | upper }}'}]", "{{ item.token | lower | reverse }}", "cba,2ret/nuh"),
        ("[1]", "{{ t }} {{ t | upper }}", "hun/ter2,abc HUN/TER2,ABC"),
        ("[1]", "{{ t ~ t[:5] }}", "hun/ter2,abchun/t"),
        ("[1]", "{% if t %}{{ t }}{{ t | upper }}{% endif %}", "hun/ter2,abcHUN/TER2,ABC"),
    ],
)
def test_what_is_made_of_a_secret_is_one_also_in_a_loop_and_beside_it(rendered, loop, template, text):
    document = rendered(SECRET + f"steps:\n  - {{for_each: {loop}, name: \"{template}\", args: ['{{{{ l }}}}']}}\n")
    assert text in document.secrets


@pytest.mark.parametrize(
    ("loop", "template"),
    [
        ("[{token: '{{ t }}', zone: us-east}]", "load {{ item.zone }}"),
        ("[{token: '{{ t }}', zone: us-east}]", "{{ item.zone }}={{ item.token }}"),
        ("['{{ t }}', us-east]", "load {{ item if item == 'us-east' else 'the rest' }}"),
        ("[1]", "password={{ t }}"),
        ("[1]", "{% if t %}--secure{% endif %}"),
    ],
)
def test_what_tells_nothing_of_a_secret_is_none(rendered, loop, template):
    document = rendered(SECRET + f"steps:\n  - {{for_each: {loop}, name: \"{template}\", args: ['{{{{ l }}}}']}}\n")
    assert document.secrets == {"hun/ter2,abc", "pq/rst"}


def test_looking_for_secrets_is_work_too(rendered):
    words = ", ".join(f"secret{number}" for number in range(4_000))
    variables = f"variables: {{l: {{sensitive: true, type: list, default: [{words}]}}}}\n"
    assert ids(rendered(f"{variables}steps: [{{for_each: '{{{{ l }}}}', name: '{{{{ item }}}}'}}]")) == ["FS324"]
    tags = "".join(f"  t{number}: '{{{{ l[0] | upper }}}}{number}'\n" for number in range(2_000))
    assert ids(rendered(f"{variables}tags:\n{tags}")) == ["FS324"]


@pytest.mark.parametrize("template", ["{{ {}[t[:6]] }}", "{{ t | attr(t[:6]) }}"])
def test_what_an_error_quotes_of_a_secret_is_one(rendered, template):
    assert "hun/te" in rendered(SECRET + f"name: '{template}'\ntags: {{l: '{{{{ l }}}}'}}").secrets
    derived = SECRET.replace("}}", "}, d: {default: '" + template + "'}}", 1) + "name: '{{ d }}{{ l }}'"
    assert "hun/te" in rendered(derived).secrets


def test_a_number_from_outside_is_finite(rendered):
    assert ids(rendered("variables: {n: {type: number}}\nname: '{{ n }}'", variables={"n": "1e999"})) == ["FS303"]


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


BASE = """
flowspec: v1
name: base
variables: {n: {type: integer, default: 2}, m: {default: x}}
targets:
  prod: {tags: {a: p, b: p}, steps: {two: {args: [p]}}, variables: {m: prod}}
tags: {a: 1, b: 2}
log_uri: s3://b/logs
additional_info: "{{ m }}"
steps:
  - {name: one, type: command, args: [a]}
  - {name: two, type: command, args: [b]}
instance_groups:
  - {role: MASTER, type: m5.xlarge}
  - {role: TASK, type: m5.xlarge, count: '{{ n }}'}
"""


@pytest.fixture
def files(tmp_path):
    """Writes files and renders the first."""

    def make(contents, **options):
        for name, text in contents.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(text)
        return render(load(tmp_path / next(iter(contents))), **{"environ": {}, **options})

    return make


def test_a_spec_is_laid_over_the_file_it_extends(files, tmp_path):
    top = (
        "extends: base.yaml\nname: top\nvariables: {n: {default: 3}}\ntags: {b: null, c: 3}\nlog_uri: null\n"
        "steps:\n  - {name: two, args: [z]}\n  - {name: three, type: command, args: [c]}\n"
        "instance_groups: [{role: TASK, type: c5.large}]\n"
    )
    document = files({"top.yaml": top, "base.yaml": BASE}, target="prod")
    assert document.diagnostics == ()
    assert plain(document.root) == {
        "flowspec": "v1", "name": "top", "tags": {"a": "p", "c": 3, "b": "p"}, "additional_info": "prod",
        "steps": [{"name": "one", "type": "command", "args": ["a"]}, {"name": "two", "type": "command", "args": ["p"]},
                  {"name": "three", "type": "command", "args": ["c"]}],
        "instance_groups": [{"role": "MASTER", "type": "m5.xlarge"}, {"role": "TASK", "type": "c5.large", "count": 3}],
    }  # fmt: skip
    assert document.find(("flowspec",)).at.location.file == str(tmp_path / "base.yaml")
    assert document.find(("name",)).at.location.file == str(tmp_path / "top.yaml")
    assert document.find(("instance_groups", 1, "count")).origin == f"variable n (its default, {tmp_path}/top.yaml:3)"


def test_what_a_target_says_in_two_files_is_one_target(files):
    top = (
        "extends: base.yaml\ntargets:\n  prod: {tags: {a: null}, log_uri: null, "
        "steps: [{name: two, when: true}, {name: one, when: false}], variables: {n: 7}}\n  laptop: {backend: local}\n"
    )
    prod = plain(files({"top.yaml": top, "base.yaml": BASE}, target="prod").root)
    assert prod["tags"] == {"b": "p"}
    assert "log_uri" not in prod
    assert prod["steps"] == [{"name": "two", "type": "command", "args": ["p"]}]
    assert prod["instance_groups"][1]["count"] == 7
    laptop = plain(files({"top.yaml": top, "base.yaml": BASE}, target="laptop").root)
    assert (laptop["backend"], laptop["log_uri"], len(laptop["steps"])) == ("local", "s3://b/logs", 2)


def test_items_are_dropped_in_one_target_by_name(files):
    text = BASE + "  - {role: TASK, name: spot, type: a, count: 1}\n"
    text = text.replace("prod:", "lean: {steps: {one: null, two: {args: [q]}}, instance_groups: {spot: ~}}\n  prod:")
    lean = plain(files({"top.yaml": text}, target="lean").root)
    assert lean["steps"] == [{"name": "two", "type": "command", "args": ["q"]}]
    assert [group.get("name", group["role"]) for group in lean["instance_groups"]] == ["MASTER", "TASK"]
    assert len(plain(files({"top.yaml": text}, target="prod").root)["steps"]) == 2


def test_a_name_that_is_not_there_can_not_be_dropped(files):
    found = files({"top.yaml": BASE.replace("{two:", "{tow: null, one: 4, two:")}, target="prod").diagnostics
    assert [(one.id, one.hint) for one in found] == [("FS313", "did you mean two?"), ("FS313", "")]


def test_bases_are_looked_for_beside_the_file_that_names_them(files, tmp_path):
    (tmp_path / ".git").mkdir()
    document = files({
        "jobs/top.yaml": "extends: ../common/mid.yaml\nname: top",
        "common/mid.yaml": "extends: deep/base.yaml\ntags: {m: 1}",
        "common/deep/base.yaml": "flowspec: v1\ntags: {b: 1}",
    })  # fmt: skip
    assert plain(document.root) == {"flowspec": "v1", "tags": {"b": 1, "m": 1}, "name": "top"}


@pytest.mark.parametrize(
    ("contents", "id_", "said"),
    [
        ({"a.yaml": "extends: b.yaml"}, "FS314", "there is no file 'b.yaml'"),
        ({"a.yaml": "extends: a.yaml"}, "FS315", "extends itself"),
        ({"a.yaml": "extends: b.yaml", "b.yaml": "extends: ./c/../a.yaml"}, "FS315", "extends itself"),
        ({"jobs/a.yaml": "extends: ../b.yaml", "b.yaml": BASE}, "FS314", "is not below"),
        ({"a.yaml": "extends: /etc/passwd"}, "FS314", "is not below"),
        ({"a.yaml": "extends: ''"}, "FS314", "is not below"),
        ({"a.yaml": "extends: '{{ ds }}.yaml'"}, "FS314", "there is no file"),
        ({"a.yaml": 'extends: "a\\0.yaml"'}, "FS314", "there is no file"),
        ({"a.yaml": f"extends: {'a' * 5000}"}, "FS314", "there is no file"),
        ({"a.yaml": "extends: ."}, "FS314", "'.' is a directory, not a file"),
        ({"a.yaml": "extends: b.yaml", "b.yaml": "a: [b"}, "FS003", "not YAML"),
        ({"a.yaml": "extends: b.yaml", "b.yaml": "- a"}, "FS005", "a job flow is a mapping"),
    ],
)
def test_bases_that_can_not_be_used(files, contents, id_, said):
    with pytest.raises(SpecError, match=said) as caught:
        files(contents)
    assert [one.id for one in caught.value.diagnostics] == [id_]


def test_a_base_that_is_a_pipe_is_not_waited_for(files, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(SpecError, match=r"'pipe.yaml' is a FIFO, not a file"):
        files({"a.yaml": "extends: pipe.yaml"})


def test_a_link_does_not_lead_out_of_the_tree(files, tmp_path):
    (tmp_path / "secret.yaml").write_text("password: x")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(SpecError, match="is not below"):
        files({"jobs/a.yaml": "extends: link.yaml"})


def test_what_is_found_in_both_files_is_told(files):
    document = files({"a.yaml": "extends: b.yaml\nname: a\nname: b", "b.yaml": "tags: {}\ntags: {}"})
    assert [(one.id, one.location.file[-6:]) for one in document.diagnostics] == [
        ("FS006", "b.yaml"),
        ("FS006", "a.yaml"),
    ]


def test_a_base_file_may_declare_what_only_others_use(files):
    declared = "variables: {m: {default: x}}"
    assert ids(files({"a.yaml": "extends: b.yaml", "b.yaml": declared})) == []
    assert ids(files({"a.yaml": declared})) == ["FS307"]


@pytest.mark.parametrize("form", ["${m}", "{m}"])
def test_a_variable_in_the_form_of_another_tool_is_told_the_form_of_templates(files, form):
    (found,) = files({"a.yaml": f"variables: {{m: {{default: x}}}}\nname: 'a-{form}'"}).diagnostics
    assert (found.id, found.hint) == ("FS307", f'write "{{{{ m }}}}" in place of {form}')


@pytest.mark.parametrize("template", ["{{ m }", "x {{ m", "{{ m | }}", "{% if m %}x"])
def test_a_variable_that_only_a_broken_template_uses_is_used(files, template):
    declared = "variables: {m: {default: x}}\n"
    assert ids(files({"a.yaml": f"{declared}name: '{template}'"})) == ["FS320"]


def test_what_extends_is_checked_by_the_schema_when_it_is_no_text(files):
    assert plain(files({"a.yaml": "extends: [b.yaml]"}).root) == {"extends": ["b.yaml"]}


@pytest.mark.parametrize(
    ("base", "top"),
    [
        ("[{name: two, args: [b]}]", "{two: {on_failure: CONTINUE}, one: null}"),
        ("{two: {args: [b]}}", "[{name: two, on_failure: CONTINUE}, {name: one, when: false}]"),
        ("{two: {args: [b]}, one: null}", "{two: {on_failure: CONTINUE}}"),
    ],
)
def test_both_forms_of_a_target_are_merged_from_two_files(files, base, top):
    steps = "steps: [{name: one, type: command, args: [a]}, {name: two, type: command, args: [a]}]\n"
    contents = {
        "top.yaml": f"extends: base.yaml\ntargets: {{t: {{steps: {top}}}}}\n",
        "base.yaml": f"targets: {{t: {{steps: {base}}}}}\n{steps}",
    }
    document = files(contents)
    assert document.diagnostics == ()
    assert plain(document.root)["steps"] == [
        {"name": "two", "type": "command", "args": ["b"], "on_failure": "CONTINUE"}
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("^(?!huge)[a-z]+$", "it has a negative look-ahead, (?! at character 2"),
        ("(a)?(?(1)b|c)*$", "it has a conditional group, (?( at character 5"),
        ("[", "missing ]: [ at character 1"),
    ],
)
def test_a_pattern_that_can_not_be_used_is_said_at_its_place(files, pattern, message):
    document = files({"job.yaml": f"variables:\n  size:\n    pattern: '{pattern}'\n    default: small\n"})
    (found,) = [one for one in document.diagnostics if one.id == "FS316"]
    assert found.message == f"the pattern of 'size' can't be used: {message}"
    assert (found.location.line, found.location.column) == (3, 14)
    assert found.hint


def test_the_patterns_of_a_document_are_bounded_together(files):
    # A value of 90 kB, held against 200 patterns, each of which is cheap.
    given = "variables:\n" + "".join(
        f"  v{n}: {{pattern: '^([a-z]{{1,20}}-?)*$', default: '{{{{ v }}}}'}}\n" for n in range(200)
    )
    document = files({"job.yaml": f"{given}  v: {{}}\n"}, variables={"v": "a" * 90_000})
    (refused,) = [one.message for one in document.diagnostics if one.id == "FS304"]
    assert "too much work" in refused
    assert int(re.match("the variable 'v([0-9]+)'", refused)[1]) < 150


def test_a_chain_of_files_has_an_end(files):
    def chain(length):
        texts = {f"{n}.yaml": f"extends: {n + 1}.yaml\ntags: {{t{n}: x}}\n" for n in range(length - 1)}
        return {**texts, f"{length - 1}.yaml": "name: base\n"}

    assert len(plain(files(chain(32)).root)["tags"]) == 31
    with pytest.raises(SpecError, match="more than 32 files extend each other") as caught:
        files(chain(2000))
    (found,) = caught.value.diagnostics
    assert found.id == "FS314"
    assert str(found.location).endswith("/31.yaml:1:10")


def test_a_chain_of_files_is_no_larger_than_one_file_may_be(files):
    padding = f"# {'x' * 4_000_000}\n"
    texts = {f"{n}.yaml": f"extends: {n + 1}.yaml\n{padding}" for n in range(3)} | {"3.yaml": "not: [closed\n"}
    with pytest.raises(SpecError, match="larger than 10 MB together") as caught:
        files(texts)
    (found,) = caught.value.diagnostics
    assert (found.id, str(found.location).endswith("/1.yaml:1:10")) == ("FS010", True)


def test_a_spec_with_steps_to_add_requires_its_version_of_flowspec_too(tmp_path):
    (tmp_path / "more.yaml").write_text('flowspec: v1\nname: a\nrequires: ">=99"\nsteps: []\n')
    with pytest.raises(SpecError) as refused:
        load_steps(tmp_path / "more.yaml")
    assert [one.id for one in refused.value.diagnostics] == ["FS015"]
