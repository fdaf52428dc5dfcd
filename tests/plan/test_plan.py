"""Plans are plain data: from a request and what runs, what would happen and why."""

import dataclasses
import json
from datetime import datetime, timezone

import pytest

import flowspec
from flowspec.errors import SpecError
from flowspec.facts.mutability import row_of
from flowspec.plan.changes import Action, ApiCall, Assessment
from flowspec.plan.cluster import MANAGED_TAG, Cluster, Step
from flowspec.plan.compare import make_plan
from flowspec.plan.comparison.differences import Difference, snake, token
from flowspec.plan.converge import changes_of, intent_calls
from flowspec.report import plans
from tests.specs import rendered

SPEC = """\
flowspec: v1
name: nightly
variables: {{password: {{type: string, sensitive: true, default: hunter2}}}}
targets:
  here: {{default: true, backend: local}}
  aws: {{backend: emr, region: us-east-1, staging: "s3://acme/stage/"}}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
applications: [Hadoop]
instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]
bootstrap_actions: [{{name: tools, path: tools.sh, args: [--fast]}}]
steps:
  - {{name: one, type: command, args: [echo, "{{{{ password }}}}", {extra}]}}
"""


@pytest.fixture
def job(tmp_path):
    """The job flow and request of the spec for a target; `extra` makes it another request."""
    (tmp_path / "tools.sh").write_text("#!/bin/sh\n")

    def make(target="aws", extra="x"):
        flow = flowspec.validate(rendered(tmp_path, SPEC.format(extra=extra), target=target))
        return flow, flowspec.compile(flow)

    return make


def cluster(digest, *steps, state="RUNNING"):
    made = datetime(2026, 11, 22, 8, tzinfo=timezone.utc)
    return Cluster("j-1", "nightly", state, tags={"flowspec:digest": digest}, created=made, steps=steps)


def test_nothing_runs(job):
    made = make_plan(*job())
    assert [change.action for change in made.changes] == [
        Action.UPLOAD,
        Action.CREATE,
        Action.CREATE,
        Action.CREATE,
        Action.SUBMIT,
    ]
    assert [call.operation for call in made.calls] == ["RunJobFlow"]
    assert (made.has_changes, made.blocked, made.joins) == (True, "", None)


@pytest.mark.parametrize(
    ("more", "groups"),
    [
        (
            "slave_instance_type: r5.xlarge\nnum_instances: 4\n",
            {"MASTER": ("1 x m5.xlarge", 10), "CORE": ("3 x r5.xlarge", 11)},
        ),
        ("num_instances: 3\n", {"MASTER": ("1 x m5.xlarge", 10), "CORE": ("2 x m5.xlarge", None)}),
        ("num_instances: 1\n", {"MASTER": ("1 x m5.xlarge", 10)}),
        ("", {"MASTER": ("1 x m5.xlarge", 10)}),
    ],
)
def test_the_short_words_for_instances_are_shown_as_the_groups_that_they_become(tmp_path, more, groups):
    head = SPEC.partition("applications")[0].replace("{{", "{").replace("}}", "}")
    (tmp_path / "job.yaml").write_text(f"{head}master_instance_type: m5.xlarge\n{more}")
    flow = flowspec.validate(flowspec.render(flowspec.load(tmp_path / "job.yaml")))
    made = make_plan(flow, flowspec.compile(flow))
    found = [one for one in made.changes if one.address.startswith("instance group ")]
    assert {one.address.removeprefix("instance group "): one.after for one in found} == {
        role: size for role, (size, _) in groups.items()
    }
    at = {one.address.removeprefix("instance group "): one.location.line for one in found if one.location}
    assert at | {role: line for role, (_, line) in groups.items() if line} == at
    # What is sent stays as the spec has it.
    assert "InstanceGroups" not in made.request["Instances"]


def test_what_runs_is_what_is_wanted(job):
    flow, request = job()
    made = make_plan(flow, request, cluster(request.digest))
    assert (made.changes, made.calls, made.uploads, made.joins) == ((), (), (), "j-1")
    assert not made.has_changes


def test_further_clusters_of_the_flow_are_noted(job):
    flow, request = job()
    there = cluster(request.digest, Step("s-1", "one", "RUNNING"))
    further = dataclasses.replace(there, others=("j-2", "j-3"))
    noted = set(make_plan(flow, request, further).notes) - set(make_plan(flow, request, there).notes)
    assert noted == {
        "j-2, j-3 have the tags of this flow, too: cluster j-1, the earliest, is the one that flowspec uses"
    }


def test_another_request_runs(job):
    flow, request = job()
    running = cluster("another", Step("s-1", "count", "RUNNING"))
    made = make_plan(flow, request, running)
    assert made.changes[0].action is Action.REPLACE
    assert made.changes[0].reason == "forces replacement: 1 step running (count)"
    assert [call.operation for call in made.calls] == ["TerminateJobFlows", "RunJobFlow"]
    assert made.blocked == "cluster j-1 of this flow is RUNNING, made from another request"
    assert "--replace" in made.remedy
    assert make_plan(flow, request, running, replace=True).blocked == ""


def test_equal_inputs_make_equal_plans(job):
    assert make_plan(*job()) == make_plan(*job())
    assert make_plan(*job()) != make_plan(*job(extra="y"))


def test_local_files_are_not_uploaded_for_the_embedded_emr(job):
    assert make_plan(*job("here")).uploads == ()


def test_what_cannot_run_here_is_refused_at_its_place(job):
    flow, request = job("here", extra="x")
    with pytest.raises(SpecError, match="there is no Hive here") as error:
        make_plan(flow, request, assessment=Assessment(unsupported={0: "there is no Hive here"}))
    (found,) = error.value.diagnostics
    assert (found.id, found.location.line) == ("FS501", 14)


def test_plans_and_requests_can_not_be_changed(job):
    flow, request = job()
    made = make_plan(flow, request)
    for params in (request.params, made.request, made.calls[0].params):
        params["Steps"][0]["Name"] = params["Name"] = "another"
    assert make_plan(flow, request) == made
    assert request == flowspec.compile(flow)
    assert {request.params["Name"], made.request["Name"], made.calls[0].params["Name"]} == {"nightly"}
    with pytest.raises(AttributeError):
        request.params = {}


def test_plans_and_requests_are_hashable(job):
    flow, request = job()
    assert len({request, flowspec.compile(flow)}) == 1
    assert len({make_plan(flow, request), make_plan(flow, flowspec.compile(flow))}) == 1
    assert len({ApiCall("TerminateJobFlows", {"JobFlowIds": [one]}) for one in ("j-1", "j-2")}) == 2


def test_secrets_are_in_no_report(job):
    made = make_plan(*job())
    assert "hunter2" not in plans.as_text(made)
    assert "hunter2" not in plans.as_json(made)
    assert "hunter2" in json.dumps(made.request), "but they are in what is sent"


def test_a_plan_for_people(job):
    text = plans.as_text(make_plan(*job()))
    assert text.splitlines()[0] == "nightly on target aws"
    assert "  + instance group MASTER: 1 x m5.xlarge" in text
    assert "  > step one: command-runner.jar echo '(sensitive)' x" in text
    assert text.splitlines()[-1] == "Plan: 3 to create, 1 step to submit, 1 file to upload."


def test_a_plan_for_programs(job):
    document = json.loads(plans.as_json(make_plan(*job())))
    assert (document["version"], document["has_changes"], document["flow"]) == (1, True, "nightly")
    assert {change["action"] for change in document["changes"]} == {"^", "+", ">"}


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ("ReleaseLabel", "release_label"),
        ("OSReleaseLabel", "os_release_label"),
        ("ADDomainJoinUser", "ad_domain_join_user"),
    ],
)
def test_members_have_the_names_of_the_spec(member, field):
    assert snake(member) == field


def test_all_that_differs_of_a_bootstrap_action_is_shown():
    scripts = ({"Path": "s3://b/1", "Args": ["--fast"]}, {"Path": "s3://b/2"})
    before, after = ([{"Name": "tools", "ScriptBootstrapAction": one}] for one in scripts)
    found = changes_of(Difference((), "bootstrap_actions", before, after, row_of("BootstrapActions")))
    assert [one.address.rpartition(".")[2] for one in found] == ["path", "args"]


@pytest.mark.parametrize(("number", "calls"), [(51, 1), (52, 0)])
def test_no_more_tokens_are_written_than_a_tag_can_hold(number, calls):
    new = "".join(token(str(one)) for one in range(number))
    assert len(list(intent_calls({MANAGED_TAG: new}, cluster("digest")))) == calls
