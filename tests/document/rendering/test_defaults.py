"""`defaults: recommended`: the values for what a spec leaves out."""

import json

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.text.tree import plain
from flowspec.report.rendering import annotated_json
from flowspec.request.compile import compile

SPEC = """\
flowspec: v1
name: x
release_label: emr-7.5.0
instance_groups:
  - {role: MASTER, type: m5.xlarge, count: 1}
  - {role: CORE, type: m5.xlarge, count: 2}
targets: {mine: {default: true}, yours: {job_flow_role: theirs}, none: {defaults: null}}
"""

SCALES = (
    "{role: CORE, type: m5.xlarge, count: 2, auto_scaling_policy: {constraints: {min_capacity: 1, max_capacity: 2}}}"
)


def test_nothing_is_added_without_them(rendered):
    root = plain(rendered(SPEC).root)
    assert {*root} == {"flowspec", "name", "release_label", "instance_groups"}


def test_they_are_in_the_request(rendered):
    request = compile(validate(rendered("defaults: recommended\n" + SPEC))).params
    assert request["ServiceRole"] == "EMR_DefaultRole"
    assert request["JobFlowRole"] == "EMR_EC2_DefaultRole"
    assert request["VisibleToAllUsers"] is True
    assert "AutoScalingRole" not in request


@pytest.mark.parametrize(("target", "role"), [("mine", "EMR_EC2_DefaultRole"), ("yours", "theirs"), ("none", None)])
def test_what_the_spec_or_a_target_says_stays(rendered, target, role):
    root = plain(rendered("defaults: recommended\nvisible_to_all_users: false\n" + SPEC, target=target).root)
    assert root.get("job_flow_role") == role
    assert root["visible_to_all_users"] is False


def test_a_group_that_scales_has_the_role_for_it(rendered):
    text = "defaults: recommended\n" + SPEC.replace("{role: CORE, type: m5.xlarge, count: 2}", SCALES)
    assert plain(rendered(text).root)["auto_scaling_role"] == "EMR_AutoScaling_DefaultRole"


def test_a_base_file_can_ask_for_them(rendered, tmp_path):
    (tmp_path / "base.yaml").write_text("defaults: recommended\n")
    assert plain(rendered("extends: base.yaml\n" + SPEC).root)["service_role"] == "EMR_DefaultRole"


def test_render_explain_shows_them(rendered):
    shown = json.loads(annotated_json(rendered("defaults: recommended\n" + SPEC)))
    (role,) = [one for one in shown if one["path"] == "service_role"]
    assert (role["value"], role["line"], role["origin"]) == ("EMR_DefaultRole", 1, "defaults: recommended")
