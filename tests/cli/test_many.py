"""`flowspec validate` of many files: the same answers in the same order, from several processes."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from flowspec.cli import cores
from flowspec.errors import FlowspecError, SpecError

SPEC = "flowspec: v1\nname: job-{}\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\nservice_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


def pid(_):
    time.sleep(0.002)
    return os.getpid()


def refuse(number):
    if number == 150:
        raise SpecError([])
    return number


def die(number):
    if number == 150:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_few_files_stay_in_this_process(two_cores):
    assert set(cores.map_on_cores(pid, range(cores.WORTH_IT - 1))) == {os.getpid()}


def test_many_files_are_spread(two_cores):
    pids = list(cores.map_on_cores(pid, range(200)))
    assert pids[0] == os.getpid()
    assert len(set(pids[1:]) - {os.getpid()}) == 2
    assert list(cores.map_on_cores(str, range(200))) == [str(number) for number in range(200)]


def test_on_one_core_nothing_is_spread(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert set(cores.map_on_cores(pid, range(200))) == {os.getpid()}


def test_what_is_raised_there_is_raised_here(two_cores):
    with pytest.raises(SpecError):
        list(cores.map_on_cores(refuse, range(200)))


def test_a_process_that_is_killed_is_no_traceback(two_cores):
    with pytest.raises(FlowspecError, match="was killed"):
        list(cores.map_on_cores(die, range(200)))


def test_many_specs_have_the_answers_of_each(flowspec, tmp_path, two_cores):
    names = [f"job-{number:03}.yaml" for number in range(120)]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(SPEC.format(number) + ("keep_alve: true\n" if number % 10 == 7 else ""))
    done = flowspec("validate", *names)
    assert done.code == 2
    assert done.out.splitlines() == [f"{name}: valid" for number, name in enumerate(names) if number % 10 != 7]
    assert done.err.count("error[FS101]") == 12
    found = json.loads(flowspec("validate", "--format", "json", *names).out)
    listed = found["diagnostics"] if isinstance(found, dict) else found
    assert len(listed) == 12


def specs_in(folder, count):
    names = [f"job-{number}.yaml" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_text(SPEC.format(number))
    return names


def test_ctrl_c_ends_all_of_them(tmp_path):
    names = specs_in(tmp_path, 3000)
    code = "import os; os.sched_getaffinity = lambda _: {0, 1}; from flowspec.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "validate", *names],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == f"{names[0]}: valid\n"
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told


def test_ctrl_c_while_they_are_forked_is_not_lost(tmp_path):
    """Both processes of a fork get it within the fork, where Python ignores what is raised."""
    names = specs_in(tmp_path, 200)
    code = """if True:
        import os, signal
        os.sched_getaffinity = lambda _: {0, 1}
        from flowspec.cli import main
        interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
        os.register_at_fork(after_in_parent=interrupt, after_in_child=interrupt)
        main()
    """
    command = [sys.executable, "-c", code, "validate", *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False), done.stderr


def test_after_an_interrupt_that_was_held_back_the_rest_is_not_done(tmp_path):
    code = """if True:
        import os, signal, time
        os.sched_getaffinity = lambda _: {0, 1}
        from flowspec.cli.cores import map_on_cores
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))

        def work(_):
            time.sleep(0.005)
            with open("done", "a") as file:
                file.write("x")

        try:
            list(map_on_cores(work, range(600)))
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert len((tmp_path / "done").read_text()) < 600


@pytest.mark.parametrize("started", [0, 1])
def test_what_no_process_can_be_forked_for_is_done_here(two_cores, monkeypatch, started):
    """As under `ulimit -u`, by which root is not bound."""
    fork, left = os.fork, [None] * started

    def fork_some():
        if left:
            left.pop()
            return fork()
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fork_some)
    assert set(cores.map_on_cores(pid, range(200))) == {os.getpid()}
    assert list(cores.map_on_cores(str, range(200))) == [str(number) for number in range(200)]
    for process in multiprocessing.active_children():
        process.join(10)
    assert multiprocessing.active_children() == []
