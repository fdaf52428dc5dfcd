"""A run of some steps: the request, its digest, its files, and the places in the spec."""

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.errors import NothingFound
from flowspec.request.compile import compile
from flowspec.request.origins import locate
from flowspec.request.selection import select_steps

SPEC = """flowspec: v1
name: nightly
region: us-east-1
release_label: emr-7.5.0
staging: s3://acme/staging/
log_uri: s3://acme/logs/
enable_debugging: true
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
  - {name: one, type: script, script: one.sh, timeout: 600}
  - {name: two, type: script, script: two.sh}
  - {name: three, type: command, args: ['true'], timeout: 60}
  - {name: two, type: command, args: ['false']}
"""

# A new cluster needs it, whichever steps it runs.
DEBUGGING = "Setup Hadoop Debugging"


@pytest.fixture
def made(tmp_path):
    (tmp_path / "job.yaml").write_text(SPEC)
    for name in ("one.sh", "two.sh"):
        (tmp_path / name).write_text(name)
    flow = validate(load(tmp_path / "job.yaml"), emr_rules=False)
    return flow, compile(flow)


def names(request):
    return [step["Name"] for step in request.params["Steps"]]


def test_without_a_choice_it_is_the_same(made):
    assert select_steps(made[1]) is made[1]


def test_from_one_on(made):
    _, whole = made
    rest = select_steps(whole, first="three")
    assert names(rest) == [DEBUGGING, "three", "two"]
    assert [(place, config["Name"]) for place, config, _ in rest.omitted] == [(1, "one"), (1, "two")]
    assert rest.digest != whole.digest
    assert rest.assets == ()
    assert {key: value for key, value in rest.params.items() if key != "Steps"} == {
        key: value for key, value in whole.params.items() if key != "Steps"
    }


def test_only_some(made):
    some = select_steps(made[1], only=("two",))
    assert names(some) == [DEBUGGING, "two", "two"]
    assert [(place, config["Name"]) for place, config, _ in some.omitted] == [(1, "one"), (2, "three")]
    assert [one.name for one in some.assets] == ["two.sh"]
    assert names(select_steps(made[1], first="three", only=("two",))) == [DEBUGGING, "two"]


def test_places_in_the_spec_are_those_of_the_steps(made):
    flow, whole = made
    some = select_steps(whole, only=("three",))
    at = flow.document.nearest(locate(flow, some.origins, ("Steps", 1, "Name"))).at
    assert "name: three" in SPEC.splitlines()[at.line - 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": "thre"}, "no step called 'thre'"),
        ({"only": ("four",)}, "no step called 'four'"),
        ({"first": "two"}, "2 steps are called 'two'"),
        ({"first": "three", "only": ("one",)}, "no step is left: none called 'one' comes after 'three'"),
    ],
)
def test_names_that_mean_nothing(made, options, message):
    with pytest.raises(NothingFound, match=message):
        select_steps(made[1], **options)


def test_policies_stay_with_their_steps(made):
    from flowspec.plan.runs.supervision import step_policies

    flow, whole = made
    assert sorted(one.timeout for one in step_policies(flow, whole.params).values()) == [60, 600]
    rest = select_steps(whole, first="three")
    assert [one.timeout for one in step_policies(flow, rest.params).values()] == [60]
