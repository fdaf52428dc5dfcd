"""Workers that are forks of a process that has everything imported, and where that is not safe."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import fork_server, forking, processes, starting
from tests.emulator.conftest import bash, streaming
from tests.emulator.test_orphans import leader, on_linux
from tests.emulator.test_worker import gone, worker_pid

ROOT = Path(__file__).parents[2]
PR_CAPBSET_DROP, CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 24, 21, 24  # linux/prctl.h, linux/capability.h
PRELUDE = """
import contextlib, os, signal, sys, threading
from pathlib import Path
from flowspec.emulator.api.service import Service
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import fork_server, starting
from tests.emulator.conftest import bash, request
home = Path(sys.argv[1])
def run(script="true", service=None, **members):
    return (service or Service(home)).call("RunJobFlow", request(bash(script), **members))["JobFlowId"]
"""


def python(home, code, **options):
    """Runs code in a process of its own, which has one thread."""
    words = [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(home)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True, **options).stdout


def arguments(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def was_forked(emr, cluster_id):
    return b"-c" in arguments(worker_pid(emr, cluster_id))


def blocked_signals(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigBlk:")[2].split()[0], 16)
    return {number for number in signal.valid_signals() if mask >> number - 1 & 1}


@on_linux
def test_an_interrupt_does_not_reach_a_worker_that_is_just_being_forked(emr):
    """Ctrl-C goes to the whole group of processes, in which the child begins."""
    code = """
        leave = os.setsid
        def interrupted():
            os.setsid = leave
            os.killpg(os.getpgrp(), signal.SIGINT)
            leave()
        os.setsid = interrupted
        try:
            run(keep_alive=True)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python(emr.home, code, start_new_session=True) == "interrupted\n"
    (cluster,) = emr.call("ListClusters")["Clusters"]
    emr.until(cluster["Id"], "WAITING")
    assert was_forked(emr, cluster["Id"])


@on_linux
@pytest.mark.parametrize("fork", [True, False])
def test_an_interrupt_between_the_commit_and_the_start_of_the_worker_waits_for_the_start(emr, fork):
    code = f"""
        def interrupted(home):
            os.kill(os.getpid(), signal.SIGINT)
            return {fork}
        starting.can_fork = interrupted
        try:
            run(keep_alive=True)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python(emr.home, code) == "interrupted\n"
    (cluster,) = emr.call("ListClusters")["Clusters"]
    emr.until(cluster["Id"], "WAITING")
    pid = worker_pid(emr, cluster["Id"])
    assert was_forked(emr, cluster["Id"]) == fork
    assert blocked_signals(pid).isdisjoint({signal.SIGINT, signal.SIGTERM})


@on_linux
@pytest.mark.parametrize(
    ("state", "forks"),
    [
        ("", True),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", False),
        ("store = Store(home)", False),
    ],
    ids=["one thread", "threads", "an open connection"],
)
def test_a_process_forks_its_worker_where_it_can_and_else_starts_an_interpreter(emr, state, forks):
    cluster_id = python(emr.home, f"{state}\nprint(run(keep_alive=True))").strip()
    emr.until(cluster_id, "WAITING")
    assert was_forked(emr, cluster_id) == forks


@on_linux
def test_a_forked_worker_lets_go_of_everything(emr, tmp_path):
    """The output that the caller reads to its end, its files, handlers, signals, and its directory."""
    code = f"""
        import logging
        logging.basicConfig(filename={str(tmp_path / "log")!r})
        file = open({str(tmp_path / "file")!r}, "w"); file.write("once")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, lambda *_: print("handled"))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        import atexit; atexit.register(print, "at exit")
        print(run("readlink /proc/$PPID/cwd /proc/self/fd/0; pwd", keep_alive=True))
    """
    first, *rest = python(emr.home, code).split("\n")
    assert rest == ["at exit", ""]
    emr.until(first, "WAITING")
    worker = worker_pid(emr, first)
    folder = paths.cluster_folder(emr.home, first)
    open_files = {str(file.readlink()) for file in Path(f"/proc/{worker}/fd").iterdir()}
    assert str(tmp_path / "file") not in open_files
    assert (tmp_path / "file").read_text() == "once"
    assert (tmp_path / "log").read_text() == ""
    assert emr.logs(first).joinpath("stdout").read_text().split()[:2] == [str(folder), os.devnull]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines())
    assert int(status["SigBlk"], 16) == 0
    caught = int(status["SigCgt"], 16)
    assert not caught >> (signal.SIGUSR1 - 1) & 1
    assert os.getsid(worker) == worker
    os.kill(worker, signal.SIGTERM)
    emr.until_ended(first)
    assert "SIGTERM" in emr.reason(first)[1]


@on_linux
def test_a_file_whose_number_is_above_the_limit_of_open_files(emr):
    """A shell gave the file that number before it lowered the limit: nothing can take its place."""
    code = """
        import resource
        ours, theirs = os.pipe()
        os.dup2(theirs, 100)
        os.close(theirs)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        print(run(keep_alive=True))
        os.close(100)
        sys.stdout.write(f"{os.read(ours, 1)}")
    """
    cluster_id, read = python(emr.home, code).split()
    assert read == "b''", "the worker has not kept it"
    emr.until(cluster_id, "WAITING")
    assert was_forked(emr, cluster_id)


@on_linux
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)")
def test_a_machine_without_proc_starts_interpreters(emr):
    code = PRELUDE + "print(run(keep_alive=True), fork_server.start_by_fork())"
    hide = 'mount -t tmpfs tmpfs /proc && exec "$0" "$@"; exit 99'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", hide, sys.executable, "-c", code, emr.home]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip(f"no mount namespace of one's own here: {done.stderr.strip()}")
    cluster_id, start = done.stdout.split()
    assert start == "None"
    emr.until(cluster_id, "WAITING")
    assert not was_forked(emr, cluster_id)


@on_linux
def test_the_step_of_a_forked_worker_is_killed_with_it(emr, tmp_path):
    code = f"print(run('echo $$ >{tmp_path}/pid; sleep 300', keep_alive=True))"
    cluster_id = python(emr.home, code).strip()
    pid = int(emr.until_file(tmp_path / "pid"))
    os.kill(worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert gone(pid)


@on_linux
def test_a_streaming_job_is_a_fork_that_takes_nothing_of_the_worker_along(emr, tmp_path):
    show = f"bash -c 'echo $FLOWSPEC_STEP_ID >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/shown; sleep 300'"
    cluster_id = emr.run(streaming(emr.home, "out", mapper=show), keep_alive=True)
    step_id = emr.until_file(tmp_path / "shown").strip()
    step, worker = Path(f"/proc/{leader(emr, cluster_id)}"), worker_pid(emr, cluster_id)
    assert (step / "comm").read_text() == "flowspec-step\n"
    assert arguments(step.name) == arguments(worker)
    assert [path.name[:19] for path in paths.scratch(emr.home, step_id).iterdir()] == ["flowspec-streaming-"]
    assert (step / "cwd").readlink() == paths.step_folder(emr.home, cluster_id, step_id) / "work"
    assert os.getsid(int(step.name)) == int(step.name)
    logs = emr.logs(cluster_id)
    own = {str(logs / name) for name in ("stdout", "stderr", "syslog")}
    kept = {str(file.readlink()) for file in (step / "fd").iterdir()}
    assert {name for name in kept if name.startswith(str(emr.home))} == own
    os.kill(worker, signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert gone(int(step.name))


@on_linux
@pytest.mark.parametrize(("mark", "told"), [("j-MINE", False), ("j-OTHERS", True)])
def test_a_worker_that_shows_another_clusters_id_forks_no_step(mark, told):
    """It was forked from a command line in a step of that cluster, whose end kills what shows its id."""
    code = (
        "import os; from flowspec.emulator.worker import processes; os.environ['FLOWSPEC_CLUSTER_ID'] = 'j-MINE'; "
        "print(processes.is_marked_by_another_cluster())"
    )
    environ = {**os.environ, "FLOWSPEC_CLUSTER_ID": mark}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{told}\n"


@on_linux
@pytest.mark.parametrize("environment", ["", "env -i FLOWSPEC_HOME={home}"], ids=["inherited", "empty"])
def test_a_forked_cluster_of_a_step_survives_the_steps_cluster(emr, tmp_path, environment):
    script = tmp_path / "submit.py"
    script.write_text(PRELUDE + "print(run(keep_alive=True))")
    command = f"{environment.format(home=emr.home)} PYTHONPATH={ROOT}"
    submit = f"env {command} {sys.executable} {script} {emr.home}".replace("env env", "env")
    outer = emr.run(bash(f"{submit} >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/inner"), keep_alive=True)
    inner = emr.until_file(tmp_path / "inner").strip()
    emr.until(inner, "WAITING")
    emr.call("TerminateJobFlows", JobFlowIds=[outer])
    emr.until_ended(outer)
    assert emr.state(inner) == "WAITING"
    worker_pid(emr, inner)


@on_linux
def test_a_fork_server_serves_threads_and_ends_with_its_process(emr):
    code = """
        server = fork_server.ForkServer()
        service = Service(home, start_worker=server.start)
        with Store(home):
            ids = []
            threads = [threading.Thread(target=lambda: ids.append(run(service=service, keep_alive=True))) for _ in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        print(*ids, Path(f"/proc/self/task/{os.getpid()}/children").read_text())
    """
    *ids, server = python(emr.home, code).split()
    assert len(ids) == 5
    assert gone(int(server))
    for cluster_id in ids:
        emr.until(cluster_id, "WAITING")
        assert was_forked(emr, cluster_id)


class Clock:
    """Stands for the module `time`: it passes only while someone sleeps, and then orders come."""

    def __init__(self, orders):
        self.now, self.orders = 0.0, iter(orders)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        next(self.orders, None)


@on_linux
@pytest.mark.parametrize(
    ("orders", "waited"),
    [(0, 0.25), (2, 0.75), (3, 1), (9, 1)],
    ids=["none", "two", "until the last moment", "too many"],
)
def test_workers_are_forked_when_no_order_comes_or_the_first_has_waited_enough(monkeypatch, orders, waited):
    monkeypatch.setattr(fork_server, "_QUIET_SECONDS", 0.25)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        clock = Clock(ours.send(b"/home\0j-%d" % number) for number in range(orders + 1))
        next(clock.orders)
        monkeypatch.setattr(fork_server, "time", clock)
        fork_server._await_no_orders(theirs, 1)
    assert clock.now == waited


KILL = """
def children():
    return [pid for of_thread in Path("/proc/self/task").glob("*/children") for pid in of_thread.read_text().split()]
def kill(pid):
    os.kill(int(pid), signal.SIGKILL)
    with contextlib.suppress(OSError):  # it has been reaped
        while "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
            pass
server = fork_server.ForkServer()
service = Service(home, start_worker=server.start)
"""


@on_linux
def test_a_fork_server_that_was_killed_is_replaced_once(emr):
    code = """
        BEGINNING = ("STARTING", "BOOTSTRAPPING", "RUNNING")
        def run_five():
            ids = []
            threads = [threading.Thread(target=lambda: ids.append(run(service=service, keep_alive=True))) for _ in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            while [one for one in service.call("ListClusters", {})["Clusters"] if one["Status"]["State"] in BEGINNING]:
                pass
            return ids
        with Store(home):
            for _ in range(2):
                (before,) = children()
                kill(before)
                ids = run_five()
                (after,) = children()
                assert after != before
                print(*ids, *run_five(), *children())
                assert children() == [after]
    """
    for line in python(emr.home, KILL + textwrap.dedent(code)).splitlines():
        *ids, server = line.split()
        assert len(ids) == 10
        assert gone(int(server))
        for cluster_id in ids:
            assert emr.state(cluster_id) == "WAITING"
            assert b"flowspec.emulator.worker.fork_server" in arguments(worker_pid(emr, cluster_id))


STOPPED = """
def stop_server():
    (pid,) = map(int, children())
    while os.readlink(f"/proc/{pid}/fd/1") != os.devnull:  # it begins with the files of this process
        pass
    os.kill(pid, signal.SIGSTOP)
    return pid
def run_stopped():
    stop_server()
    ids = [run(service=service, keep_alive=True) for _ in range(3)]
    assert [one["Status"]["State"] for one in service.call("ListClusters", {})["Clusters"]] == ["STARTING"] * 3
    return ids
"""


@on_linux
def test_what_waits_in_a_fork_server_that_is_killed_is_started_by_the_next_at_once(emr):
    code = """
        ids = run_stopped()
        kill(*children())
        while {one["Status"]["State"] for one in service.call("ListClusters", {})["Clusters"]} != {"WAITING"}:
            pass
        print(*ids)
    """
    for cluster_id in python(emr.home, KILL + STOPPED + textwrap.dedent(code)).split():
        assert emr.state(cluster_id) == "WAITING"
        assert b"flowspec.emulator.worker.fork_server" in arguments(worker_pid(emr, cluster_id))


@on_linux
def test_what_waits_in_a_fork_server_outlives_the_process_that_asked(emr):
    code = """
        print(*children(), *run_stopped())
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    words = [sys.executable, "-c", PRELUDE + KILL + STOPPED + textwrap.dedent(code), str(emr.home)]
    killed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    server, *ids = killed.stdout.split()
    assert killed.returncode == -signal.SIGKILL
    os.kill(int(server), signal.SIGCONT)
    for cluster_id in ids:
        emr.until(cluster_id, "WAITING")
    assert gone(int(server))


@on_linux
@pytest.mark.parametrize("program", ["/no/such/python", "/bin/false"], ids=["does not begin", "ends at once"])
def test_what_waits_in_a_fork_server_that_can_not_be_replaced_fails_with_a_reason(emr, program):
    code = f"""
        ids = run_stopped()
        python, sys.executable = sys.executable, {program!r}
        kill(*children())
        while "STARTING" in [one["Status"]["State"] for one in service.call("ListClusters", {{}})["Clusters"]]:
            pass
        sys.executable = python
        print(run(service=service, keep_alive=True), *ids)
    """
    later, *failed = python(emr.home, KILL + STOPPED + textwrap.dedent(code)).split()
    for cluster_id in failed:
        assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
        assert "could not be started" in emr.reason(cluster_id)[1]
    emr.until(later, "WAITING")


def few_descriptors_in_messages():
    """Bounds those that are on their way as for an ordinary user: by the open files of a process."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_SYS_ADMIN, CAP_SYS_RESOURCE):
        libc.prctl(PR_CAPBSET_DROP, capability)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


@on_linux
@pytest.mark.parametrize("prepare", [None, few_descriptors_in_messages], ids=["bytes", "descriptors"])
def test_more_orders_than_the_system_takes_wait_for_the_fork_server(emr, prepare):
    """It takes some 280 by their bytes."""
    code = """
        stopped = stop_server()
        threading.Timer(1, os.kill, (stopped, signal.SIGCONT)).start()
        null = os.open(os.devnull, os.O_RDONLY)
        for number in range(400):
            server.start(home / "none", f"j-{number}", null)
        print(run(service=service, keep_alive=True))
    """
    made = python(emr.home, KILL + STOPPED + textwrap.dedent(code), preexec_fn=prepare)
    emr.until(made.strip(), "WAITING")


@on_linux
def test_a_fork_server_that_no_thread_can_watch_works_and_is_watched_later(emr):
    """No thread can be started, as under `ulimit -u`, by which root is not bound."""
    code = """
        def refuse(_):
            raise RuntimeError("can't start new thread")
        def run_unwatched():
            start, threading.Thread.start = threading.Thread.start, refuse
            made = run(service=service, keep_alive=True)
            threading.Thread.start = start
            return made
        unwatched = run_unwatched()
        assert len(os.listdir("/proc/self/task")) == 1
        ids = [unwatched, run(service=service, keep_alive=True)]
        while {one["Status"]["State"] for one in service.call("ListClusters", {})["Clusters"]} != {"WAITING"}:
            pass
        kill(*children())
        while server._pid:  # its thread has not noticed
            pass
        print(*ids, run_unwatched(), run(service=service, keep_alive=True))
    """
    for cluster_id in python(emr.home, KILL + textwrap.dedent(code)).split():
        emr.until(cluster_id, "WAITING")


@on_linux
def test_a_fork_server_that_can_not_be_replaced_fails_the_cluster_with_a_reason(emr):
    code = """
        kill(*children())
        python, sys.executable = sys.executable, "/no/such/python"
        failed = run(service=service)
        while service.call("DescribeCluster", {"ClusterId": failed})["Cluster"]["Status"]["State"] == "STARTING":
            pass
        sys.executable = python
        print(failed, run(service=service, keep_alive=True))
    """
    failed, later = python(emr.home, KILL + textwrap.dedent(code)).split()
    assert emr.state(failed) == "TERMINATED_WITH_ERRORS"
    assert "could not be started" in emr.reason(failed)[1]
    emr.until(later, "WAITING")


def test_only_a_process_without_threads_and_connections_forks(home):
    Store(home).close()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not starting.can_fork(home)
    finally:
        stop.set()
        thread.join()


def test_a_worker_is_told_from_other_processes(emr):
    cluster_id = emr.until(emr.run(bash("true"), keep_alive=True), "WAITING")
    assert Service(emr.home).call("DescribeCluster", {"ClusterId": cluster_id})
    if sys.platform == "linux":
        name = Path(f"/proc/{worker_pid(emr, cluster_id)}/comm").read_text().strip()
        assert name == "flowspec-worker"
    assert processes.identity(worker_pid(emr, cluster_id))


def open_files():
    return {one.name for one in Path("/proc/self/fd").iterdir()}


@on_linux
def test_a_worker_that_can_not_be_forked_leaves_no_open_pipe(home):
    before = open_files()
    with pytest.raises(FileNotFoundError):
        starting.fork_worker(home, "j-REMOVED", 0)
    assert open_files() == before


@on_linux
def test_a_step_that_can_not_be_forked_leaves_no_open_pipe(tmp_path, monkeypatch):
    def fork():
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fork)
    place = processes.Place(tmp_path / "process", tmp_path, tmp_path / "out", tmp_path / "err", {})
    before = open_files()
    with pytest.raises(BlockingIOError):
        forking.fork_step(lambda: 0, place)
    assert open_files() == before
