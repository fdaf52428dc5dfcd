"""Exactly one cluster comes of a plan, whatever happens to the answers. moto's server is the witness."""

import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from flowspec.backend.aws import client
from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.manage.ending import destroy
from flowspec.backend.aws.observe import describe, find_active, observe
from flowspec.backend.aws.submission.apply import apply
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError, ServiceError
from flowspec.plan.changes import ApiCall, Plan
from flowspec.plan.comparison.differences import token
from flowspec.plan.identity import steps_digest
from tests.lost_answers import LOADS, add_all, drawing, judged, running, submit_all

REQUEST = {
    "Name": "nightly",
    "ReleaseLabel": "emr-7.5.0",
    "Instances": {
        "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}],
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "Tags": [{"Key": "team", "Value": "search"}],
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
}
PLAN = Plan("nightly", "prod", "d" * 64, "nightly.yaml", REQUEST, calls=(ApiCall("RunJobFlow", REQUEST),))


def job_flow(name, target, **fields):
    return JobFlow(name, target, "emr", "us-east-1", None, None, None, Path("nightly.yaml"), fields, document=None)


def clusters(emr):
    return [summary["Id"] for summary in emr.pages("ListClusters", "Clusters")]


def test_a_cluster_is_tagged_with_what_it_is(emr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no git checkout
    applied = apply(PLAN, emr)
    cluster = describe(emr, applied.cluster_id)
    assert not applied.joined
    tags = dict(cluster.tags)
    assert re.fullmatch("[0-9a-f]{32}", tags.pop("flowspec:submission"))
    assert tags == {
        "team": "search",
        "flowspec:flow": "nightly",
        "flowspec:target": "prod",
        "flowspec:digest": "d" * 64,
        "flowspec:source": "nightly.yaml",
        "flowspec:managed": token("tags.team"),
        "flowspec:steps": steps_digest({}, ()),
    }


def test_the_source_of_a_spec_in_git_names_its_commit(emr, tmp_path):
    (tmp_path / "flows").mkdir()
    spec = tmp_path / "flows" / "nightly.yaml"
    spec.write_text("flowspec: v1\n")

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    applied = apply(replace(PLAN, source=str(spec)), emr)
    source = describe(emr, applied.cluster_id).tags["flowspec:source"]
    assert source == f"flows/nightly.yaml@{git('rev-parse', 'HEAD')[:12]}"


def test_what_runs_is_found_by_its_tags_alone(emr):
    applied = apply(PLAN, emr)
    emr.call("RunJobFlow", **REQUEST)  # the same name, but not ours
    assert observe(emr, job_flow("nightly", "prod")).id == applied.cluster_id
    assert observe(emr, job_flow("nightly", "dev")) is None
    assert observe(emr, job_flow("weekly", "prod")) is None


def test_a_cluster_with_another_name_by_api_params_is_found(emr):
    request = {**REQUEST, "Name": "nightly-prod"}
    applied = apply(replace(PLAN, request=request, calls=(ApiCall("RunJobFlow", request),)), emr)
    assert observe(emr, job_flow("nightly", "prod", api_params={"Name": "nightly-prod"})).id == applied.cluster_id
    assert observe(emr, job_flow("nightly", "prod")) is None


@pytest.mark.parametrize(
    "fault",
    [
        *("lost", "dropped", "truncated", "cut", ("after", 503), ("after", 400)),
        *((500, "InternalServerException"), (400, "InternalServerError")),
    ],
)
def test_a_lost_answer_starts_no_second_cluster(faulty, fault):
    faulty.way.faults["RunJobFlow"] = [fault]
    applied = apply(PLAN, faulty, sleep=lambda _: None)
    assert clusters(faulty) == [applied.cluster_id]


def test_after_a_lost_answer_nothing_is_sent_again(faulty):
    faulty.way.faults["RunJobFlow"] = ["lost"]
    apply(PLAN, faulty, sleep=lambda _: None)
    assert faulty.way.seen.count("RunJobFlow") == 1


@pytest.mark.parametrize("fault", ["truncated", (400, "AccessDeniedException")])
def test_a_failed_look_after_a_lost_answer_names_the_submission(faulty, monkeypatch, fault):
    monkeypatch.setattr(client, "_READ_AGAIN_AFTER", (0.0,))
    faulty.way.faults.update(RunJobFlow=["lost"], ListClusters=[fault] * 50)
    with pytest.raises(FlowspecError, match="may have taken effect, and looking for it failed") as lost:
        apply(PLAN, faulty, sleep=lambda _: None)
    faulty.way.faults.clear()
    (made,) = clusters(faulty)
    assert describe(faulty, made).tags["flowspec:submission"] in lost.value.remedy
    assert faulty.way.seen.count("RunJobFlow") == 1


@pytest.mark.parametrize("operation", ["ListClusters", "DescribeCluster"])
def test_a_failed_look_for_rivals_names_the_cluster(faulty, operation):
    # Alone of its name, a cluster has no rivals that would have to be described.
    first = apply(PLAN, faulty).cluster_id
    faulty.way.faults[operation] = [(400, "AccessDeniedException")]
    with pytest.raises(
        FlowspecError, match="was started; it is not known whether another apply of nightly started first"
    ) as failed:
        apply(PLAN, faulty)
    (made,) = set(clusters(faulty)) - {first}
    assert made in failed.value.message
    assert f"flowspec destroy {made} --region {faulty.region}" in failed.value.remedy


def test_a_submission_sends_two_calls(faulty):
    apply(PLAN, faulty)
    assert faulty.way.seen == ["RunJobFlow", "ListClusters"]


def test_a_rival_that_can_not_be_ended_is_named(faulty):
    first = apply(PLAN, faulty).cluster_id
    faulty.way.faults["TerminateJobFlows"] = [(400, "AccessDeniedException")]
    with pytest.raises(
        FlowspecError, match=f"another apply started {first} first, and terminating this cluster failed"
    ) as failed:
        apply(PLAN, faulty)
    (made,) = set(clusters(faulty)) - {first}
    assert made in failed.value.message


def test_throttling_is_waited_out(faulty):
    faulty.way.faults["RunJobFlow"] = [(400, "ThrottlingException")] * 3
    slept = []
    applied = apply(PLAN, faulty, sleep=slept.append)
    assert clusters(faulty) == [applied.cluster_id]
    assert len(slept) == 3
    assert all(later <= 2**attempt for attempt, later in enumerate(slept))


def test_throttling_without_end_is_an_error(faulty):
    faulty.way.faults["RunJobFlow"] = [(400, "ThrottlingException")] * 20
    with pytest.raises(ServiceError, match="ThrottlingException"):
        apply(PLAN, faulty, sleep=lambda _: None)
    assert faulty.way.seen.count("RunJobFlow") == 8


def test_what_emr_refuses_is_not_sent_again(faulty):
    faulty.way.faults["RunJobFlow"] = [(400, "ValidationException")] * 2
    with pytest.raises(ServiceError, match="RunJobFlow: ValidationException: as asked for"):
        apply(PLAN, faulty)
    assert faulty.way.seen.count("RunJobFlow") == 1


def test_two_at_once_end_with_one_cluster(emr):
    barrier = threading.Barrier(2)

    def submit(_):
        barrier.wait()
        return apply(PLAN, emr)

    with ThreadPoolExecutor() as pool:
        applied = list(pool.map(submit, range(2)))
    (running,) = find_active(emr, "nightly", "prod", name="nightly")
    assert running.id in {one.cluster_id for one in applied}
    # The one who was first may not have seen the other yet; whoever joined is with the one that stays.
    assert {one.cluster_id for one in applied if one.joined} <= {running.id}


def test_an_earlier_apply_of_another_request_stays(emr):
    first = apply(PLAN, emr).cluster_id
    other = replace(PLAN, digest="e" * 64)
    with pytest.raises(
        FlowspecError, match=f"another apply of nightly started first, with a different request: {first} keeps running"
    ):
        apply(other, emr)
    (running,) = find_active(emr, "nightly", "prod", name="nightly")
    assert running.id == first
    (ended,) = [describe(emr, one) for one in clusters(emr) if one != first]
    assert ended.tags["flowspec:rival"] == first


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ReleaseLabel": 7}, "ReleaseLabel"),
        ({"Instances": {"InstanceGroups": [{"InstanceRole": "BOSS", "InstanceType": "m5.xlarge"}]}}, "BOSS"),
    ],
)
def test_a_replacement_is_checked_before_the_old_cluster_is_ended(faulty, wrong, told):
    running = apply(PLAN, faulty).cluster_id
    request = {**REQUEST, **wrong}
    calls = (ApiCall("TerminateJobFlows", {"JobFlowIds": [running]}), ApiCall("RunJobFlow", request))
    with pytest.raises(FlowspecError, match=told):
        apply(replace(PLAN, request=request, digest="e" * 64, calls=calls, replaces=running), faulty)
    assert "TerminateJobFlows" not in faulty.way.seen
    assert describe(faulty, running).state == "WAITING"


def test_an_interrupted_submission_says_how_to_find_the_cluster(emr):
    class Interrupted(Emr):
        def create(self, operation, **params):
            super().create(operation, **params)
            raise KeyboardInterrupt

    emr.__class__ = Interrupted
    said = []
    with pytest.raises(KeyboardInterrupt):
        apply(PLAN, emr, notify=said.append)
    (cluster,) = clusters(emr)
    assert f"flowspec:submission={describe(emr, cluster).tags['flowspec:submission']}" in said[-1]
    assert "flowspec status nightly.yaml" in said[-1]


def test_a_plan_that_joins_sends_nothing(faulty):
    joined = apply(replace(PLAN, joins="j-THEREALREADY", calls=()), faulty)
    assert (joined.cluster_id, joined.joined, faulty.way.seen) == ("j-THEREALREADY", True, [])


def test_a_blocked_plan_is_refused(emr):
    with pytest.raises(FlowspecError, match="made from another request") as refused:
        apply(replace(PLAN, blocked="it was made from another request", remedy="--replace"), emr)
    assert refused.value.remedy == "--replace"
    assert clusters(emr) == []


def test_a_protected_cluster_is_destroyed_only_when_told(emr):
    cluster_id = apply(PLAN, emr).cluster_id
    emr.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=True)
    with pytest.raises(FlowspecError, match="protected") as refused:
        destroy(emr, describe(emr, cluster_id))
    assert "--unprotect" in refused.value.remedy
    destroy(emr, describe(emr, cluster_id), unprotect=True)
    assert describe(emr, cluster_id).state == "TERMINATED"


def test_no_such_cluster(emr):
    with pytest.raises(FlowspecError, match="there is no cluster j-NOPE in us-east-1") as refused:
        describe(emr, "j-NOPE")
    assert "flowspec list" in refused.value.remedy


def test_steps_are_told_oldest_first(emr):
    steps = [
        {
            "Name": name,
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]},
        }
        for name in ("one", "two", "three")
    ]
    request = {**REQUEST, "Steps": steps}
    cluster = describe(emr, emr.call("RunJobFlow", **request)["JobFlowId"])
    assert [step.name for step in cluster.steps] == ["one", "two", "three"]
    assert cluster.created <= datetime.now(timezone.utc)


@pytest.mark.parametrize("load", LOADS)
def test_each_kind_of_lost_answer_alone(emr, moto_port, load):
    """The small form of tests/benchmarks/lost_answers.py, which has the figures for thousands."""
    outcomes = submit_all(moto_port, 8, drawing(3, 0.3, LOADS[load]))
    assert judged(outcomes, running(emr)) == {"duplicates": 0, "orphans": 0, "lost": 0, "said": 0}
    told, there, errors = add_all(moto_port, emr, 10, drawing(3, 0.3, LOADS[load]))
    assert (sorted(told), errors) == (sorted(there), [])


def test_faults_on_all_calls_make_no_second_cluster_and_lose_none(emr, moto_port):
    outcomes = submit_all(moto_port, 40, drawing(7, 0.6))
    counts = judged(outcomes, running(emr))
    assert (counts["duplicates"], counts["orphans"], counts["lost"]) == (0, 0, 0)
    assert counts["said"] < 20


def test_faults_on_all_calls_add_nothing_twice(emr, moto_port):
    told, there, errors = add_all(moto_port, emr, 30, drawing(7, 0.4))
    assert len(told) == len(set(told))
    assert set(told) <= set(there)
    assert len(set(there) - set(told)) <= len(errors) < 8
