"""Plans of many flows: how many calls they take, and that none keeps another from being made."""

import contextlib
import subprocess
import threading
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from flowspec import Ended, FlowspecError, apply_all, find_orphans, plan_all, plan_on
from flowspec.backend.aws.backend import AwsBackend
from flowspec.backend.aws.client import Endpoint
from flowspec.backend.aws.reads import SharedReads
from flowspec.backend.local.backend import LocalBackend
from flowspec.facts.api_model import problems
from flowspec.fleet import Connections, work_on
from flowspec.plan.identity import identity_tags
from tests.backend.aws.manage.conftest import spec, step


@pytest.fixture
def flows(flow_of):
    """Compiles specs of so many flows."""
    return lambda count, **more: [flow_of(spec(name=f"flow-{n}", **more), f"{n}.yaml") for n in range(count)]


@pytest.fixture
def alive(emr):
    """Starts a cluster for each flow, by the one call that an apply would send."""

    def start(compiled, source="", **more):
        for flow, request in compiled:
            tags = identity_tags(plan_on(emr, flow, request)) | ({"flowspec:source": source} if source else {})
            params = {**request.params, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()], **more}
            assert not problems(params)
            emr.create("RunJobFlow", **params)
        emr.seen.clear()

    return start


def planned(emr, compiled, **options):
    return plan_all(compiled, connections=Connections(lambda _: emr), **options)


@pytest.mark.parametrize("living", [0, 20, 60])
def test_calls_grow_with_living_clusters_and_not_with_flows(emr, flows, alive, living):
    compiled = flows(500)
    alive(compiled[:living])
    plans = planned(emr, compiled)
    counted = Counter(emr.seen)
    assert counted.pop("ListClusters") == max(1, -(-living // 50))
    assert counted.pop("DescribeCluster", 0) == living
    assert sum(counted.values()) == 5 * living
    assert [one.jobflow for one in plans] == [flow for flow, _ in compiled]
    assert [bool(one.running) for one in plans] == [True] * living + [False] * (500 - living)
    assert not any(one.drifted or one.error for one in plans)


class Bucket:
    """An S3 client that counts what it is asked for, and has files of some keys."""

    def __init__(self, *ends):
        self.ends, self.asked = ends, []

    def head_object(self, Bucket, Key):  # noqa: N803 - botocore's names
        self.asked.append(Key)
        if not Key.endswith(self.ends):
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {"LastModified": datetime.now(timezone.utc)}


def test_local_files_of_many_flows_are_looked_up_within_a_bound(emr, flow_of, alive, tmp_path, monkeypatch):
    """Each flow has a script of its own, and one that all share."""
    # The clusters are on the embedded EMR, the files as on AWS.
    monkeypatch.setattr(LocalBackend, "staged_lookup", AwsBackend.staged_lookup)
    bucket = Bucket("common.py", "m1.py")
    emr.s3 = lambda **_: bucket
    (tmp_path / "common.py").touch()
    compiled = []
    for n in range(120):
        (tmp_path / f"m{n}.py").write_text(f"{n}\n")
        one = {"name": "count", "type": "streaming", "mapper": f"m{n}.py", "reducer": "common.py"}
        steps = [{**one, "input": "s3://acme/in/", "output": "s3://acme/out/"}]
        on_aws = {
            "backend": "emr",
            "region": "us-east-1",
            "staging": "s3://acme/staging/",
            "log_uri": "s3://acme/logs/",
        }
        compiled.append(flow_of(spec(name=f"flow-{n}", steps=steps, **on_aws), f"{n}.yaml"))
    alive(compiled[-2:])
    bucket.asked.clear()
    plans = planned(emr, compiled, jobs=1)
    assert not any(one.error for one in plans)
    assert len(emr.seen) == 1 + 2 * 6
    assert len(bucket.asked) == len(set(bucket.asked)) == 50
    assert [len(one.plan.staged) for one in plans[:3]] == [1, 2, 1]
    assert "only 1 of 2 local files were looked up; more may be staged already" in plans[100].plan.notes


def test_the_plans_are_those_of_one_at_a_time(emr, flows, alive):
    compiled = flows(6)
    alive(compiled[:3])
    changed = flows(6, tags={"team": "data"})
    alone = [plan_on(emr, flow, request) for flow, request in changed]
    assert [one.plan for one in planned(emr, changed)] == alone
    assert [one.drifted for one in planned(emr, changed)] == [True] * 3 + [False] * 3


def test_an_error_of_one_flow_keeps_no_other_from_being_planned(emr, flows, alive):
    compiled = flows(3)
    alive(compiled)
    ids = [one.running for one in planned(emr, compiled)]
    call = emr.call

    def faulty(operation, **params):
        if operation == "DescribeCluster" and params["ClusterId"] == ids[1]:
            raise ZeroDivisionError
        return call(operation, **params)

    emr.call = faulty
    plans = planned(emr, compiled)
    assert [type(one.error) for one in plans] == [type(None), ZeroDivisionError, type(None)]
    assert [one.plan is None for one in plans] == [False, True, False]


def test_two_specs_of_one_flow_are_an_error_of_both(emr, flow_of):
    same = [flow_of(spec(name="same"), f"{name}.yaml") for name in "ab"]
    other = flow_of(spec(name="other"), "c.yaml")
    first, second, third = planned(emr, [*same, other])
    assert "b.yaml is a spec of flow same" in first.error.message
    assert "a.yaml is a spec of flow same" in second.error.message
    assert third.error is None


def test_one_connection_for_each_endpoint_is_made(emr, flows, flow_of):
    made = []
    connections = Connections(lambda endpoint: made.append(endpoint) or emr)
    aws = [flow_of(spec(name=f"aws-{n}", backend="emr", region="eu-west-1"), f"aws-{n}.yaml") for n in range(3)]
    assert not any(one.error for one in plan_all([*flows(3), *aws], connections=connections))
    assert sorted(one.backend for one in made) == ["emr", "local"]


def test_without_a_connection_each_of_its_flows_has_the_error(emr, flows, flow_of):
    def connect(endpoint):
        if endpoint.backend == "emr":
            raise FlowspecError("no credentials")
        return emr

    aws = [flow_of(spec(name=f"aws-{n}", backend="emr", region="eu-west-1"), f"aws-{n}.yaml") for n in range(2)]
    plans = plan_all([*aws, *flows(1)], connections=Connections(connect))
    assert [one.error and one.error.message for one in plans] == ["no credentials", "no credentials", None]


def test_a_call_under_way_is_waited_for(emr):
    release, call = threading.Event(), emr.call

    def slow(operation, **params):
        release.wait(10)
        return call(operation, **params)

    emr.call = slow
    shared, answers = SharedReads(emr), []
    threads = [threading.Thread(target=lambda: answers.append(shared.call("ListClusters"))) for _ in range(5)]
    for one in threads:
        one.start()
    release.set()
    for one in threads:
        one.join()
    assert [one["Clusters"] for one in answers] == [[]] * 5
    assert emr.seen == ["ListClusters"]


def test_after_an_interrupt_nothing_is_begun_and_what_is_under_way_is_ended():
    begun, results = [], []

    def work(number, sleep):
        begun.append(number)
        if number == 0:
            raise KeyboardInterrupt
        with contextlib.suppress(KeyboardInterrupt):
            sleep(60)
        return number

    with pytest.raises(KeyboardInterrupt):
        results.extend(work_on(work, range(50), jobs=2))
    assert len(begun) < 50
    assert results == sorted(set(begun) - {0})


def test_an_interrupt_waits_for_no_plan(emr, flows, monkeypatch):
    begun, answer, answered = threading.Event(), threading.Event(), []

    def plan(_, flow, *args, **choices):
        if flow.name == "flow-0":
            begun.wait(60)
            raise KeyboardInterrupt
        begun.set()
        answer.wait(60)
        answered.append(flow.name)

    monkeypatch.setattr("flowspec.fleet.plan_on", plan)
    with pytest.raises(KeyboardInterrupt):
        planned(emr, flows(2))
    assert answered == []
    answer.set()


def test_an_interrupt_leaves_the_runs_to_themselves(flow_of, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    made = [flow_of(spec(name=name, steps=[step("one", "true")]), f"{name}.yaml") for name in ("first", "second")]
    submitted, left = threading.Barrier(2, timeout=60), []

    def applied(plan, emr, *, sleep, **_):
        submitted.wait()
        if plan.flow == "first":
            raise KeyboardInterrupt
        try:
            sleep(60)
        except KeyboardInterrupt:
            left.append(plan.flow)
            raise

    monkeypatch.setattr("flowspec.fleet.apply_and_watch", applied)
    with pytest.raises(KeyboardInterrupt):
        apply_all(plan_all(made), preflight=False)
    assert left == ["second"]


def test_all_are_applied_and_watched_to_their_ends(tmp_path, monkeypatch, flow_of):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    arguments = {"good": ["true"], "failing": ["false"], "twice": ["true"]}
    made = [
        flow_of(spec(name=name, keep_alive=False, steps=[step("one", *args)]), f"{name}.yaml")
        for name, args in arguments.items()
    ]
    made.append(flow_of(spec(name="twice"), "twin.yaml"))
    seen = []
    runs = apply_all(plan_all(made), jobs=2, on_event=lambda flow, event: seen.append((flow.name, type(event))))
    outcomes = [run.result and run.result.verdict.outcome.value for run in runs]
    assert outcomes == ["succeeded", "step failed", None, None]
    assert ["is a spec of flow twice" in str(run.error) for run in runs] == [False, False, True, True]
    assert {flow for flow, kind in seen if kind is Ended} == {"good", "failing"}


def test_a_plan_that_was_made_offline_is_an_error_to_apply(flow_of):
    (run,) = apply_all(plan_all([flow_of(spec(steps=[step("one")]))], offline=True))
    assert run.result is None
    assert str(run.error).startswith("a plan that was made offline can't be applied")


class TestOrphans:
    @pytest.fixture
    def repository(self, tmp_path):
        folder = tmp_path / "repository"
        (folder / "jobs").mkdir(parents=True)
        git(folder, "init", "-q")
        (folder / "jobs" / "here.yaml").write_text("flowspec: v1\n")
        git(folder, "add", ".")
        git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
        return folder

    def test_those_of_this_repository_whose_spec_is_gone(self, emr, flows, alive, repository):
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        compiled = flows(5)
        sources = ["jobs/here.yaml", "jobs/gone.yaml", "other/gone.yaml", "jobs/deep/gone.yaml", "jobsmore/gone.yaml"]
        for one, source in zip(compiled, sources, strict=True):
            alive([one], f"{source}@{commit}")
        found = find_orphans(emr, repository / "jobs", [repository / "jobs" / "here.yaml"])
        assert [one.name for one in found.clusters] == ["flow-1", "flow-3"]
        assert found.unknown == ()

    @pytest.mark.parametrize(
        "commit", ["0123456789ab", "HEAD:jobs/here.yaml", ""], ids=["not here", "a file's", "none"]
    )
    def test_one_of_a_commit_that_is_not_here_is_left_alone(self, emr, flows, alive, repository, commit):
        commit = git(repository, "rev-parse", "--short=12", commit) if ":" in commit else commit
        alive(flows(1), f"jobs/gone.yaml@{commit}" if commit else "jobs/gone.yaml")
        found = find_orphans(emr, repository / "jobs", [])
        assert found.clusters == ()
        assert [one.name for one in found.unknown] == ["flow-0"]

    def test_one_that_has_ended_is_none(self, emr, flows, alive, repository):
        alive(flows(1), f"jobs/gone.yaml@{git(repository, 'rev-parse', '--short=12', 'HEAD')}")
        (there,) = find_orphans(emr, repository / "jobs", []).clusters
        emr.call("TerminateJobFlows", JobFlowIds=[there.id])
        assert find_orphans(emr, repository / "jobs", []).clusters == ()

    @pytest.mark.parametrize(("length", "names"), [(255, ["flow-0"]), (256, [])])
    def test_of_a_source_that_a_tag_may_have_cut_nothing_can_be_told(
        self, emr, flows, alive, repository, length, names
    ):
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        alive(flows(1), f"jobs/{'x' * (length - 18)}@{commit}")
        found = find_orphans(emr, repository / "jobs", [])
        assert ([one.name for one in found.clusters], found.unknown) == (names, ())

    @pytest.mark.parametrize("in_git", [True, False], ids=["before the first commit", "outside of git"])
    def test_on_this_machine_the_path_tells(self, emr, flows, alive, tmp_path, in_git):
        (tmp_path / "jobs").mkdir()
        (tmp_path / "link").symlink_to("jobs")
        if in_git:
            git(tmp_path, "init", "-q")
        sources = ["jobs/gone.yaml", "link/here.yaml", "other/gone.yaml", "link/gone.yaml"]
        for one, source in zip(flows(4), sources, strict=True):
            alive([one], str(tmp_path / source))
        found = find_orphans(emr, tmp_path / "link", [tmp_path / "jobs" / "here.yaml"])
        assert ([one.name for one in found.clusters], found.unknown) == (["flow-0", "flow-3"], ())

    def test_one_of_a_repository_is_not_known_outside_of_it(self, emr, flows, alive, tmp_path):
        alive(flows(1), f"{tmp_path}/gone.yaml@0123456789ab")
        found = find_orphans(emr, tmp_path, [])
        assert (found.clusters, [one.name for one in found.unknown]) == ((), ["flow-0"])

    def test_without_git_the_path_tells(self, emr, flows, alive, repository, monkeypatch):
        alive(flows(1), str(repository / "jobs" / "gone.yaml"))
        monkeypatch.setenv("PATH", "")
        assert [one.name for one in find_orphans(emr, repository / "jobs", []).clusters] == ["flow-0"]

    @pytest.mark.parametrize("source", ["jobs/link.yaml", "jobs/deep/link.yaml", "jobs/deep/real.yaml"])
    def test_a_spec_that_is_a_link_is_there(self, emr, flows, alive, repository, source):
        """Its cluster may have been started from either of them; the tag has the name of one in the folder of the other."""
        (repository / "jobs" / "deep").mkdir()
        (repository / "jobs" / "deep" / "real.yaml").touch()
        (repository / "jobs" / "link.yaml").symlink_to("deep/real.yaml")
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        alive(flows(1), f"{source}@{commit}")
        assert find_orphans(emr, repository / "jobs", [repository / "jobs" / "link.yaml"]).clusters == ()

    def test_a_link_to_a_spec_outside_of_the_repository_is_there(self, emr, flows, alive, repository):
        (repository / "jobs" / "link.yaml").symlink_to(repository.parent / "real.yaml")
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        for one, source in zip(flows(2), ["jobs/link.yaml", "jobs/gone.yaml"], strict=True):
            alive([one], f"{source}@{commit}")
        found = find_orphans(emr, repository / "jobs", [repository / "jobs" / "link.yaml"])
        assert [one.name for one in found.clusters] == ["flow-1"]

    def test_clusters_of_others_and_of_other_targets_are_none(self, emr, flows, alive, repository):
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        compiled = flows(2)
        emr.create("RunJobFlow", **{**compiled[0][1].params, "Name": "by hand"})
        alive(compiled[1:], f"jobs/gone.yaml@{commit}")
        assert [one.name for one in find_orphans(emr, repository / "jobs", []).clusters] == ["flow-1"]
        assert find_orphans(emr, repository / "jobs", [], target="prod").clusters == ()

    def test_on_aws_outside_of_git_nothing_can_be_told(self, emr, tmp_path):
        emr.endpoint = Endpoint("emr", "eu-west-1")
        with pytest.raises(FlowspecError, match="is in no git repository"):
            find_orphans(emr, tmp_path, [])


def git(folder: Path, *words):
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()
