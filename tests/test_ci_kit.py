"""The GitHub Action and the workflows of examples/gitops: they parse, ask for little, and their commands run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_github import Api, api  # noqa: F401 - a fixture
from tests.review.conftest import repo  # noqa: F401 - a fixture

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/gitops"
WORKFLOWS = sorted((EXAMPLE / ".github/workflows").glob("*.yml"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step.get("name"): step for step in ACTION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def workflow(path):
    # BaseLoader: in YAML 1.1, `on` is a boolean.
    return yaml.load(path.read_text(), yaml.BaseLoader)


def steps_of(path):
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def test_no_expression_is_in_a_shell_text():
    texts = [step.get("run", "") for step in [*ACTION["runs"]["steps"], *(s for p in WORKFLOWS for s in steps_of(p))]]
    assert any(texts)
    assert not [text for text in texts if EXPRESSION.search(text)]


def test_each_input_that_is_used_is_declared_and_the_other_way_round():
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_little(path):
    found = workflow(path)
    assert found["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in found["on"]
    for step in steps_of(path):
        if step["uses"].startswith("acme/flowspec@"):
            assert set(step["with"]) <= set(ACTION["inputs"])
            assert step["with"]["command"] in STEPS
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"
    assert "secrets." not in path.read_text()
    assert not re.search(r"aws.(secret.)?access.key", path.read_text(), re.IGNORECASE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_role_comes_with_an_oidc_token_and_never_in_a_pull_request(path):
    for job in workflow(path)["jobs"].values():
        roles = [step for step in job["steps"] if "role" in step.get("with", {})]
        assert bool(roles) == (job.get("permissions", {}).get("id-token") == "write")
        assert not (roles and "pull_request" in workflow(path)["on"])


def path_of_programs(tmp_path):
    """Variables by which `flowspec` and `python` are those of the tests."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for name, module in (("flowspec", "-m flowspec"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def act(tmp_path, repo, api):  # noqa: F811
    """Runs a step of the action on a copy of the example, as a runner does; `home` is an empty embedded EMR."""
    shutil.copytree(EXAMPLE, repo.root, dirs_exist_ok=True)
    (tmp_path / "event.json").write_text('{"pull_request": {"number": 7}}')
    given = {
        **path_of_programs(tmp_path),
        "FLOWSPEC_HOME": str(tmp_path / "home"),
        "GITHUB_REPOSITORY": "acme/jobs",
        "GITHUB_API_URL": api.url,
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }

    def run(name, **inputs):
        values = {key: one.get("default", "") for key, one in ACTION["inputs"].items()}
        values |= {"command": name, "token": "t0ken"} | {key.replace("_", "-"): text for key, text in inputs.items()}
        step = STEPS[name]
        filled = {
            key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: values[found[1]], text)
            for key, text in step.get("env", {}).items()
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(
            command, cwd=repo.root, env={**os.environ, **given, **filled}, capture_output=True, text=True, check=False
        )

    return run


BOTH = "jobs/daily.yaml\n\njobs/weekly.yaml\n"


def test_validate(act, repo):  # noqa: F811
    done = act("validate", paths=BOTH, policy="policy.yaml")
    assert done.returncode == 0, done.stderr
    base = repo.root / "base.yaml"
    base.write_text(base.read_text().replace("m5.xlarge", "c5.xlarge"))
    done = act("validate", paths=BOTH, policy="policy.yaml")
    assert done.returncode == 2
    assert "We pay for m5" in done.stdout + done.stderr


def test_test_runs_the_cases_and_writes_what_became_of_them(act, repo):  # noqa: F811
    done = act("test", paths="jobs")
    assert done.returncode == 0, done.stderr
    assert 'tests="2" failures="0"' in (repo.root / "flowspec-tests.xml").read_text()
    (repo.root / "jobs/mapper.py").write_text("print('the\t1')\n")
    assert act("test", paths="jobs").returncode == 1


def test_text_of_an_input_is_never_run_nor_an_option(act, repo):  # noqa: F811
    act("validate", paths="$(touch ran)\n`touch ran`\n; touch ran")
    done = act("validate", paths="--help")
    assert done.returncode == 2
    act("review", base="--help; touch ran", paths="jobs")
    assert not (repo.root / "ran").exists()


def test_review_comments_on_what_a_change_of_the_base_file_does(act, repo, api):  # noqa: F811
    base = repo.commit({})
    text = (repo.root / "base.yaml").read_text()
    repo.commit({"base.yaml": text.replace("count: 2", "count: 3")})
    done = act("review", base=base, paths="jobs")
    assert done.returncode == 0, done.stderr
    assert "jobs/daily.yaml on target prod" in api.comments[0]["body"]
    assert "jobs/weekly.yaml on targets laptop, prod" in api.comments[0]["body"]


def test_a_saved_plan_is_applied(act, repo):  # noqa: F811
    # A block of YAML, as the other commands take several paths, ends with a newline.
    assert act("plan", paths="jobs/weekly.yaml\n", policy="policy.yaml").returncode == 0
    done = act("apply")
    assert done.returncode == 0, done.stderr
    counts = (repo.root / "jobs/weekly-counts/part-00000").read_text()
    assert "sea\t1\n" in counts
    assert "the\t2\n" in counts


def lives_on(repo):  # noqa: F811
    """The daily flow, so that its cluster on this machine lives on after its steps."""
    spec = repo.root / "jobs/daily.yaml"
    spec.write_text(spec.read_text().replace("laptop: {", "laptop: {keep_alive: true, "))


def test_drift_keeps_one_issue_while_a_cluster_differs(act, repo, api):  # noqa: F811
    lives_on(repo)
    assert act("plan", paths="jobs/daily.yaml").returncode == 0
    assert act("apply").returncode == 0
    base = repo.root / "base.yaml"
    text = base.read_text()
    for count in (3, 4):
        base.write_text(text.replace("count: 2", f"count: {count}"))
        done = act("drift", paths="jobs")
        assert done.returncode == 0, done.stderr
        (issue,) = api.issues
        assert issue["title"] == "flowspec: drift"
        assert f"→ {count}" in issue["body"]
        assert "weekly" in issue["body"]
    base.write_text(text)
    assert act("drift", paths="jobs").returncode == 0
    assert [one.get("state") for one in api.issues] == ["closed"]


def test_the_cluster_of_a_removed_spec_is_shown_and_ended(act, repo, tmp_path):  # noqa: F811
    lives_on(repo)
    repo.commit({})
    assert act("plan", paths="jobs/daily.yaml").returncode == 0
    assert act("apply").returncode == 0
    repo.commit({"jobs/daily.yaml": None})
    (repo.root / "plan.json").unlink()
    shown = act("plan", paths="jobs", policy="policy.yaml", prune="true")
    assert shown.returncode == 0, shown.stderr
    summary = (tmp_path / "summary.md").read_text().replace("\\", "")
    (doomed,) = re.findall(r"to terminate: (j-\w+), whose spec is gone", summary)
    assert "whose spec is gone" in shown.stdout
    assert not (repo.root / "plan.json").exists()
    done = act("apply", paths="jobs", policy="policy.yaml", prune="true")
    assert (done.returncode, f"pruned {doomed}" in done.stdout) == (0, True), done.stderr
    again = act("apply", paths="jobs", prune="true")
    assert (again.returncode, "skipped" in again.stdout, "pruned" in again.stdout) == (0, True, False), again.stderr


def test_drift_fails_when_a_flow_can_not_be_compared(act, repo, api):  # noqa: F811
    (repo.root / "empty").mkdir()
    assert act("drift", paths="empty").returncode not in {0, 3}
    assert not api.issues
    (repo.root / "jobs/broken.yaml").write_text("flowspec: v1\nname: broken\nmarket: SPOTT\n")
    assert act("drift", paths="jobs").returncode not in {0, 3}
    assert "broken" in api.issues[0]["body"]


def test_a_command_that_is_none_is_refused(act):
    assert act("check the command", command="destroy").returncode == 2
    assert act("check the command", command="review").returncode == 0


GITLAB = yaml.safe_load((EXAMPLE / ".gitlab-ci.yml").read_text())


def test_the_commands_of_the_gitlab_pipeline_run(tmp_path, repo):  # noqa: F811
    shutil.copytree(EXAMPLE, repo.root, dirs_exist_ok=True)
    lives_on(repo)
    base = repo.commit({})
    repo.commit({"base.yaml": (repo.root / "base.yaml").read_text().replace("count: 2", "count: 3")})
    given = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "FLOW": "daily", "FLOWSPEC_HOME": str(tmp_path / "home")}
    environment = {**os.environ, **given, **path_of_programs(tmp_path)}
    ran = set()
    for name in ("validate", "test", "review", "plan", "plan prune", "apply", "prune", "drift"):
        for line in GITLAB[name]["script"]:
            command = line.replace("--target prod", "--target laptop")
            done = subprocess.run(
                ["bash", "-ec", command], cwd=repo.root, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            ran.add(line.split()[1])
    assert ran == {"validate", "test", "review", "plan", "apply", "drift"}
    assert "daily" in (repo.root / "review.md").read_text()
    assert "daily" in (repo.root / "drift.md").read_text()
    assert all((repo.root / name).is_file() for name in ("flowspec-tests.xml", "plan-daily.json"))


def test_no_merge_request_of_gitlab_is_given_a_role():
    jobs = {name: job for name, job in GITLAB.items() if "script" in job}
    with_role = {name for name, job in jobs.items() if job["extends"] == ".role"}
    assert with_role == {"plan", "plan prune", "apply", "prune", "drift"}
    assert {name for name, job in jobs.items() if "AWS_ROLE_ARN" in job.get("variables", {})} == with_role
    assert "merge_request_event" not in str([jobs[name]["rules"] for name in with_role])
    assert not re.search(r"access.?key", (EXAMPLE / ".gitlab-ci.yml").read_text(), re.IGNORECASE)
