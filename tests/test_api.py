"""flowspec as a library: the examples of its documentation run, with public names only."""

import re
from pathlib import Path

import pytest

import flowspec
from flowspec.errors import number_of

README = (Path(__file__).parent.parent / "README.md").read_text()
SHORT, STEPWISE = (
    re.sub(r"^    ", "", block, flags=re.MULTILINE)
    for block in re.findall(r"^    import flowspec\n(?:(?:    .*)?\n)+", flowspec.__doc__, re.MULTILINE)
)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Writes job.yaml with one step that runs a command on this machine; goes to its folder."""
    monkeypatch.chdir(tmp_path)

    def write(command="true", more=""):
        Path("job.yaml").write_text(
            "flowspec: v1\nname: tiny\nvariables: {day: {default: never}}\n"
            f"targets: {{laptop: {{default: true, backend: local}}}}\nrelease_label: emr-7.5.0\n{more}\n"
            "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
            f"steps: [{{name: 'one {{{{ day }}}}', type: command, args: [bash, -c, '{command}'], on_failure: CONTINUE}}]\n"
        )

    return write


@pytest.mark.parametrize("example", [SHORT, re.search(r"```python\n(import flowspec\n.*?)```", README, re.DOTALL)[1]])
def test_the_short_example_runs(job, capsys, example):
    job("echo hello")
    exec(example, {})
    assert re.fullmatch(r"j-\w+ succeeded\n", capsys.readouterr().out)


def test_the_stepwise_example_runs(job, capsys):
    job("echo hello")
    exec(STEPWISE, {})
    assert "one never COMPLETED" in capsys.readouterr().out.splitlines()


def test_the_stepwise_example_diagnoses_a_failure(job, capsys):
    job("echo the cause >&2; exit 3", more="api_params: {Name: another name}")
    exec(STEPWISE, {})
    told = capsys.readouterr().out
    assert "one never FAILED" in told
    assert "Diagnosis(" in told
    assert "the cause" in told


def test_run_gives_each_event_and_the_verdict(job):
    job("exit 3")
    seen = []
    result = flowspec.run("job.yaml", variables={"day": "monday"}, on_event=seen.append)
    assert (result.succeeded, result.verdict.outcome) == (False, flowspec.Outcome.STEP_FAILED)
    assert result.verdict.step.name == "one monday"
    assert {type(one) for one in seen} >= {flowspec.ClusterChanged, flowspec.StepChanged, flowspec.Ended}
    assert flowspec.describe(result.emr, result.cluster.id).id == result.cluster.id


def test_run_joins_a_run_of_the_same_request_and_refuses_another(job, tmp_path):
    waiting = f"until test -e {tmp_path}/go; do sleep 0.05; done"
    job(waiting, more="keep_alive: true")
    first = flowspec.run("job.yaml", timeout=0)
    assert first.verdict.outcome is flowspec.Outcome.TIMED_OUT
    (tmp_path / "go").touch()
    again = flowspec.run("job.yaml")
    assert (again.cluster.id, again.joined, first.joined) == (first.cluster.id, True, False)
    more = flowspec.run("job.yaml", variables={"day": "monday"})
    assert (more.cluster.id, more.joined) == (first.cluster.id, True), "another step is added to the cluster"
    assert [step.name for step in more.cluster.steps] == ["one never", "one monday"]
    job(waiting, more="keep_alive: true\ncustom_ami_id: ami-1")
    with pytest.raises(flowspec.FlowspecError, match="made from another request"):
        flowspec.run("job.yaml", variables={"day": "monday"})
    other = flowspec.run("job.yaml", variables={"day": "monday"}, replace=True)
    assert other.cluster.id != first.cluster.id
    flowspec.destroy(other.emr, other.cluster)


def test_run_skips_what_the_last_run_did(job):
    job("true")
    first = flowspec.run("job.yaml", if_changed=True)
    again = flowspec.run("job.yaml", if_changed=True)
    assert (again.cluster.id, again.joined, again.succeeded) == (first.cluster.id, True, True)
    assert (first.skipped, f"run {first.cluster.id} of the same request" in again.skipped) == ("", True)
    flow = flowspec.validate(flowspec.render(flowspec.load("job.yaml")))
    (planned,) = flowspec.plan_all([(flow, flowspec.compile(flow))], if_changed=True)
    assert (planned.running, planned.drifted, planned.plan.has_changes) == ("", False, False)
    (done,) = flowspec.apply_all([planned])
    assert (done.result.cluster.id, done.result.skipped) == (first.cluster.id, again.skipped)
    other = flowspec.run("job.yaml", variables={"day": "monday"}, if_changed=True)
    assert (other.cluster.id != first.cluster.id, other.skipped) == (True, "")


def test_run_reports_what_is_wrong_with_files_beside_the_rest(job):
    job()
    spec = Path("job.yaml")
    steps = "steps: [{name: s, type: script, script: not-there.sh}]\nxyzzy: 1\n"
    spec.write_text(spec.read_text().split("steps:")[0] + steps)
    with pytest.raises(flowspec.SpecError) as refused:
        flowspec.run(spec)
    assert {one.id for one in refused.value.diagnostics} >= {"FS101", "FS401"}


def test_what_can_not_run_here_is_refused_before_anything_starts(job):
    job()
    spec = Path("job.yaml")
    spec.write_text(spec.read_text().split("steps:")[0] + "steps: [{name: h, type: hive, script: s3://b/q.hql}]\n")
    with pytest.raises(flowspec.SpecError) as refused:
        flowspec.run(spec)
    assert "FS501" in [one.id for one in refused.value.diagnostics]


def test_counts_have_their_plural():
    counts = [number_of(number, noun) for noun in ("more file", "address") for number in (0, 1, 2000)]
    assert counts == ["0 more files", "1 more file", "2,000 more files", "0 addresses", "1 address", "2,000 addresses"]
