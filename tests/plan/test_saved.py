"""A saved plan is carried out as it is, or refused with what has moved since."""

import hashlib
import json

import pytest

from flowspec.errors import StalePlan
from flowspec.plan.saved import is_plan_file, plan_content, read_plan, refuse_stale, write_plan
from tests.plan.conftest import GROUPS, planned

WHERE = {"tool": "1.0", "account": "123456789012", "region": "us-east-1", "hooks": None}


def content():
    return plan_content(planned(GROUPS), **WHERE)


def test_what_was_written_is_read(tmp_path):
    text = write_plan(content(), {"spec": "job.yaml", "target": "prod"})
    assert is_plan_file(text)
    saved = read_plan(text, "1.0")
    assert saved.options == {"spec": "job.yaml", "target": "prod"}
    refuse_stale(saved, content())


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"account": "210987654321"}, "the account was 123456789012 and is 210987654321"),
        ({"region": "eu-west-1"}, "the region was us-east-1 and is eu-west-1"),
        ({"digest": "another"}, "the request has changed: the spec, a variable or a local file"),
        ({"assets": {"m.py": "another"}}, "local files have changed"),
        ({"calls": []}, "other calls would be made"),
    ],
)
def test_what_has_moved_is_named(now, told):
    with pytest.raises(StalePlan) as refused:
        refuse_stale(read_plan(write_plan(content(), {}), "1.0"), {**content(), **now})
    assert told in refused.value.message
    assert "flowspec plan SPEC -o FILE" in refused.value.remedy


ROW = ["update", "instance group CORE: instances", "2", "4"]


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ([ROW], [[*ROW[:2], "3", "4"]], "the cluster has changed: instance group CORE: instances is 3 now"),
        ([ROW], [], "the cluster has changed: instance group CORE: instances already matches the spec"),
        ([], [ROW], "the cluster has changed: instance group CORE: instances is 2 now"),
        ([], [["submit", "step one", None, "true"]], "the cluster has changed: step one"),
        ([], [["replace", "applications", ["Hive"], ["Pig"]]], "the cluster has changed: applications"),
        ([ROW], [ROW], "the cluster has changed"),
    ],
)
def test_what_has_moved_on_the_cluster_is_named(then, now, told):
    saved = read_plan(write_plan({**content(), "changes": then}, {}), "1.0")
    with pytest.raises(StalePlan) as refused:
        refuse_stale(saved, {**content(), "changes": now, "observed": "another"})
    assert refused.value.message == f"the plan is stale: {told}"


def with_checksum(body):
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps({**body, "checksum": hashlib.sha256(text.encode()).hexdigest()})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("us-east-1", "us-west-1"),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: json.dumps({**json.loads(text), "options": {"spec": "other.yaml"}}),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "checksum"}),
    ],
)
def test_a_file_that_was_changed_is_refused(damage):
    with pytest.raises(StalePlan, match="changed or cut short"):
        read_plan(damage(write_plan(content(), {})), "1.0")


@pytest.mark.parametrize(
    "text",
    [
        '{"format": "flowspec-plan", "plan": ' + "[" * 100_000,
        with_checksum({"format": "flowspec-plan"}),
        with_checksum({"format": "flowspec-plan", "version": 1, "plan": {}}),
    ],
    ids=["deep", "no version", "no options"],
)
def test_a_file_that_someone_made_is_refused(text):
    assert is_plan_file(text)
    with pytest.raises(StalePlan, match="changed or cut short"):
        read_plan(text, "1.0")


@pytest.mark.parametrize(
    "text", ["", "[]", 'name: a\n# "format": "flowspec-plan"', '{"format": "other"}', '{"Name": "flowspec-plan"']
)
def test_other_files_are_no_plans(text):
    assert not is_plan_file(text)
