"""Several applies of one flow at the same moment, each a process of its own: the flow runs once."""

import re
import signal
import subprocess
import sys

import pytest

from flowspec.emulator.state import submissions
from flowspec.emulator.state.submissions import submission_lock
from flowspec.errors import FlowspecError
from flowspec.facts.folders import state_folder

COUNTED = "  - {{name: counted, type: command, args: [bash, -c, 'echo x >>{folder}/runs; {then}']}}"


def running_until(path):
    """The end of a step's script that runs on until there is a file."""
    return f"until test -e {path}; do sleep 0.05; done"


@pytest.mark.parametrize("over", [True, False], ids=["over", "running"])
def test_six_applies_are_one_run(start, job, tmp_path, over):
    """The run is over as soon as can be, or lasts until all six have one."""
    job(COUNTED.format(folder=tmp_path, then="true" if over else running_until(tmp_path / "go")))
    # Stopped at birth and continued together, so that all of them overlap even where each starts slowly.
    applies = [start("apply", "job.yaml") for _ in range(6)]
    for each in applies:
        each.send_signal(signal.SIGSTOP)
    for each in applies:
        each.send_signal(signal.SIGCONT)
    for each in applies if not over else ():
        assert any(re.match("(joined|started) cluster", line) for line in each.stderr)
    (tmp_path / "go").touch()
    done = [each.communicate(timeout=120) for each in applies]
    assert [each.returncode for each in applies] == [0] * 6, done
    if not over:
        assert (tmp_path / "runs").read_text() == "x\n"
        assert len({re.search(r"j-\w+", out)[0] for out, _ in done}) == 1, done
    clusters = list((state_folder() / "clusters").iterdir())
    assert len(clusters) == (tmp_path / "runs").read_text().count("x"), "no cluster was started and ended again"


@pytest.mark.parametrize("over", [True, False], ids=["over", "running"])
def test_the_same_request_joins_even_a_run_that_is_over(flowspec, job, tmp_path, monkeypatch, over):
    """The other apply takes place between this one's look at the clusters and its submission."""
    from flowspec.backend.aws.submission import apply

    go = tmp_path / "go"
    job(COUNTED.format(folder=tmp_path, then="true" if over else running_until(go)))
    options = [] if over else ["--detach"]
    upload, find = apply.upload, apply._find_earlier_apply

    def other_first(*args):
        monkeypatch.setattr(apply, "upload", upload)
        done = subprocess.run([sys.executable, "-m", "flowspec", "apply", "job.yaml", *options], check=False)
        assert done.returncode in (0, 6)
        return upload(*args)

    def find_before_the_end(*args):
        found = find(*args)
        go.touch()
        return found

    monkeypatch.setattr(apply, "upload", other_first)
    monkeypatch.setattr(apply, "_find_earlier_apply", find_before_the_end)
    done = flowspec("apply", "job.yaml")
    assert (done.code, "started first; joined" in re.sub(r"j-\w+ ", "", done.err)) == (0, True), done.err
    assert (tmp_path / "runs").read_text() == "x\n"


def test_an_apply_with_another_request_starts_nothing(flowspec, job, tmp_path, monkeypatch):
    from flowspec import pipeline

    job(COUNTED.format(folder=tmp_path, then=running_until(tmp_path / "go")))
    assert flowspec("apply", "job.yaml", "--detach").code == 0
    job(COUNTED.format(folder=tmp_path, then="true"))
    # The other apply comes between this one's look and its submission.
    monkeypatch.setattr(pipeline, "observe_named", lambda *_: (None, []))
    done = flowspec("apply", "job.yaml")
    assert (done.code, "started first, with a different request" in done.err) == (1, True), done.err
    assert len(list((state_folder() / "clusters").iterdir())) == 1
    (tmp_path / "go").touch()


def test_a_stopped_holder_of_the_lock_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "_TIMEOUT_SECONDS", 0.05)
    with (
        submission_lock(tmp_path),
        pytest.raises(FlowspecError, match=r"holds the submission lock .*submission\.lock"),
        submission_lock(tmp_path),
    ):
        pass


def test_a_killed_holder_releases_the_lock(tmp_path):
    held = subprocess.run(
        [
            "python3",
            "-c",
            f"import fcntl,os;f=open({str(tmp_path / 'submission.lock')!r},'w');"
            "fcntl.flock(f,2);os.kill(os.getpid(),9)",
        ],
        check=False,
    )
    assert held.returncode == -signal.SIGKILL
    with submission_lock(tmp_path):
        pass
