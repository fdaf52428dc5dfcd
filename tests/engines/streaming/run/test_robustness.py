"""Streaming jobs under faults: signals, full disks, unreadable files, unknown options."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowspec.engines.streaming.data import arrays
from flowspec.engines.streaming.data.inputs import InputFile, Split
from flowspec.engines.streaming.run.worker import repeat_command
from tests.emulator.test_worker import gone_now
from tests.engines.streaming.golden import REPOSITORY, run
from tests.waiting import wait_until


def text_of(ran):
    return ran.stderr.decode()


@pytest.fixture
def words(tmp_path):
    """A small input, and an empty working directory to start jobs from."""
    (tmp_path / "in.txt").write_text("b\na\nb\n")
    (tmp_path / "cwd").mkdir()
    return tmp_path


def start_sleeper(folder: Path, *more: str) -> tuple[subprocess.Popen, Path]:
    """A job whose mapper tells its process id and then sleeps."""
    (folder / "m.sh").write_text(f"echo $$ > {folder}/pid\nexec sleep 600\n")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder / "tmp"), **os.environ}
    environment["TMPDIR"] = str(folder / "tmp")
    environment["PYTHONPATH"] = str(REPOSITORY)
    (folder / "tmp").mkdir()
    words = ["-files", f"{folder}/m.sh", *more, "-mapper", "m.sh", "-input", f"{folder}/in.txt"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flowspec.engines.streaming", *words, "-output", f"{folder}/out"],
        cwd=folder / "cwd",
        env=environment,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip())
    return process, folder / "pid"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_everything_and_leaves_nothing(words, number, status):
    process, pid = start_sleeper(words)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == status
    wait_until(lambda: gone_now(int(pid.read_text())))
    assert list((words / "out").iterdir()) == []
    assert list((words / "tmp").iterdir()) == []
    assert list((words / "cwd").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no limit of address space")
@pytest.mark.parametrize("more", [[], ["-reducer", "cat"], ["-combiner", "cat"]])
def test_a_lack_of_memory_fails_the_task_with_its_remedy(words, more):
    (words / "in.txt").write_bytes(b"x" * (90 << 20))
    job = ["-mapper", "cat", *more, "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run(job, words / "cwd", {"FLOWSPEC_PARALLEL": "1"}, before=["prlimit", "--as=200000000"])
    assert ran.returncode == 1
    assert "Caused by: java.lang.OutOfMemoryError: no memory is left; FLOWSPEC_PARALLEL=1 runs" in text_of(ran)
    assert "Traceback" not in text_of(ran)
    assert list((words / "out").iterdir()) == []


def test_more_signals_do_not_end_the_clean_up(words):
    """A terminal, `timeout` and a user in a hurry send several."""
    (words / "shipped").mkdir()
    for number in range(200):
        (words / f"shipped/{number}").touch()
    process, pid = start_sleeper(words, "-file", f"{words}/shipped")  # each of them is linked
    for number in [signal.SIGINT, *[signal.SIGTERM] * 3]:
        process.send_signal(number)
        time.sleep(0.002)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Error" not in said.decode()
    wait_until(lambda: gone_now(int(pid.read_text())))
    for folder in ("out", "tmp", "cwd"):
        assert list((words / folder).iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_die_with_a_killed_job(words):
    process, pid = start_sleeper(words)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: gone_now(int(pid.read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the parents of processes in /proc")
def test_a_killed_process_of_a_job_ends_the_job_at_once(words):
    (words / "more.txt").write_text("a\n")
    process, pid = start_sleeper(words, "-input", f"{words}/more.txt")
    mapper = int(pid.read_text())
    worker = int(Path(f"/proc/{mapper}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"process {worker}, which ran tasks of this job, was killed by signal 9; if memory ran out," in said.decode()
    assert list((words / "out").iterdir()) == []
    assert list((words / "tmp").iterdir()) == []
    # It sleeps on, so nobody has waited for it; outside of a step nobody kills it either.
    os.kill(mapper, signal.SIGKILL)


def test_of_jobs_that_start_together_one_gets_the_output(words):
    (words / "shipped").mkdir()
    for number in range(300):  # they are copied between the check of the output and its making
        (words / f"shipped/{number}").touch()
    job = ["-files", f"{words}/shipped", "-mapper", "cat", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(lambda name: run(job, cwd(words / name)), ["x", "y", "z"]))
    assert sorted(one.returncode for one in ran) == [0, 5, 5]
    refused = f"Error Launching job : Output directory file:{words}/out already exists"
    assert sum(refused in text_of(one) for one in ran) == 2
    assert sorted(path.name for path in (words / "out").iterdir()) == ["_SUCCESS", "part-00000"]


def cwd(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_children_stay_in_the_process_group(words):
    process, pid = start_sleeper(words)
    try:
        assert os.getpgid(int(pid.read_text())) == os.getpgid(process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def big_input(folder: Path) -> Path:
    path = folder / "big.txt"
    path.write_bytes(
        b"".join(b"%07d abcdefghijklmnopqrstuvwxyz\n" % (number * 7919 % 1000003) for number in range(250_000))
    )
    return path


@pytest.mark.parametrize("more", [["-reducer", "NONE"], ["-reducer", "cat"], ["-numReduceTasks", "2"]])
def test_a_full_disk_fails_the_job_and_commits_no_half_part(small_disk, words, more):
    ran = run(["-mapper", "cat", *more, "-input", str(big_input(words)), "-output", f"{small_disk}/out"], words / "cwd")
    assert ran.returncode == 1
    assert "java.io.IOException: No space left on device" in text_of(ran)
    assert list((small_disk / "out").iterdir()) == []


@pytest.mark.parametrize("more", [[], ["-combiner", "cat"], ["-numReduceTasks", "2"]])
def test_a_full_scratch_disk_fails_the_job(small_disk, words, more):
    # Four times as much as the files in memory that are made for the input.
    mapper = "awk '{ for (i = 0; i < 4; i++) print $0, i }'"
    job = ["-mapper", mapper, "-reducer", "cat", *more, "-input", str(big_input(words)), "-output", f"{words}/out"]
    # One worker: two would keep their halves in memory.
    ran = run(job, words / "cwd", {"TMPDIR": str(small_disk), "FLOWSPEC_PARALLEL": "1"})
    assert ran.returncode == 1
    assert "No space left on device" in text_of(ran)
    assert "Traceback" not in text_of(ran)
    assert list((words / "out").iterdir()) == []
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_of_the_logs_fails_no_job(small_disk, words):
    """Loses the lines that can't be written, as Java's System.err and log4j do."""
    (words / "m.sh").write_text("yes 'a line' | head -c 5000000 >&2; echo 'reporter:status:said' >&2; cat\n")
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    to_the_disk = ["sh", "-c", f'exec "$@" 2> {small_disk}/stderr', "sh"]
    ran = run(job, words / "cwd", {"FLOWSPEC_SYSLOG": f"{small_disk}/syslog"}, before=to_the_disk)
    assert ran.returncode == 0
    assert sorted(path.name for path in (words / "out").iterdir()) == ["_SUCCESS", "part-00000"]
    assert run(job, words / "cwd", {"FLOWSPEC_SYSLOG": f"{small_disk}/syslog"}, before=to_the_disk).returncode == 5


def without_roots_rights() -> list[str]:
    """Returns the arguments to put before a command so that file modes also hold for root."""
    if os.geteuid():
        return []
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    if not shutil.which("setpriv") or subprocess.run([*drop, "true"], check=False, capture_output=True).returncode:
        pytest.skip("root may read every file, and there is no setpriv to give that up")
    return drop


LAUNCH = "ERROR StreamJob: Error Launching job :"


@pytest.mark.parametrize(
    ("locked", "mode", "job", "code", "told"),
    [
        (
            "in.txt",
            0,
            "-input {}/in.txt -output {}/out",
            1,
            "java.io.FileNotFoundException: {}/in.txt (Permission denied)",
        ),
        ("dir", 0, "-input {}/dir -output {}/out", 5, f"{LAUNCH} {{}}/dir: Permission denied"),
        ("dir", 0, "-files {}/dir/x -input {}/in.txt -output {}/out", 5, f"{LAUNCH} {{}}/dir/x: Permission denied"),
        ("dir", 0, "-file {}/dir/x -input {}/in.txt -output {}/out", 5, f"{LAUNCH} {{}}/dir/x: Permission denied"),
        ("dir", 0o500, "-input {}/in.txt -output {}/dir/out", 1, "java.io.IOException: {}/dir/out: Permission denied"),
    ],
)
def test_a_path_without_the_right_to_it_is_named(words, locked, mode, job, code, told):
    (words / "dir").mkdir()
    (words / locked).chmod(mode)
    given = job.replace("{}", str(words)).split()
    ran = run([*given, "-mapper", "cat"], words / "cwd", before=without_roots_rights())
    assert ran.returncode == code
    assert told.format(words) + "\n" in text_of(ran)
    assert "Traceback" not in text_of(ran)


@pytest.mark.parametrize("path", ["pipe", "in"])
def test_a_named_pipe_is_refused_and_not_waited_for(words, path):
    (words / "in").mkdir()
    os.mkfifo(words / "pipe")
    os.mkfifo(words / "in/pipe")
    ran = run(["-mapper", "cat", "-input", f"{words}/{path}", "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 5
    assert f"Not a file: file:{words}/{path}" in text_of(ran)


def test_a_map_that_fails_names_its_input_and_how_to_repeat_it(words):
    (words / "data dir").mkdir()
    (words / "data dir/bad.txt").write_text("b\na\n" * 20)
    given = ["-D", "fs.local.block.size=40", "-mapper", "grep zzz", "-input", f"{words}/data dir"]
    ran = run([*given, "-output", f"{words}/out"], words / "cwd", {"FLOWSPEC_PARALLEL": "1"})
    assert ran.returncode == 1
    log = text_of(ran)
    assert (
        f"ERROR LocalJobRunner: map task 0 failed on file:{words}/data dir/bad.txt, bytes 0 to 40 (mapper: grep zzz)"
        in log
    )
    command = re.search("map task 1 .*\n.*ERROR LocalJobRunner: to run the mapper alone: (.*)", log)[1]
    repeated = subprocess.run(["sh", "-c", command.replace("grep zzz", "cat")], stdout=subprocess.PIPE, check=True)
    assert repeated.stdout == (words / "data dir/bad.txt").read_bytes()[40:]


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_what_repeats_a_map_runs_in_any_folder(words, mode):
    (words / "my job").mkdir()
    (words / "my job/words.txt").write_text("zzz\n")
    script = words / "my job/find.sh"
    script.write_text('#!/bin/sh -u\ngrep -c -f "$1" && exit 9\nexit 7\n')
    script.chmod(mode)
    given = [
        "-files",
        f"{script},{words}/my job/words.txt",
        "-mapper",
        "find.sh words.txt",
        "-input",
        f"{words}/in.txt",
    ]
    ran = run([*given, "-output", f"{words}/out"], words / "cwd")
    command = re.search("to run the mapper alone: (.*)", text_of(ran))[1]
    repeated = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False, cwd="/")
    assert (repeated.returncode, repeated.stdout) == (7, b"0\n"), command


def test_a_reduce_that_fails_names_its_reducer(words):
    given = ["-mapper", "cat", "-reducer", "grep zzz", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run(given, words / "cwd")
    assert "ERROR LocalJobRunner: reduce task 0 failed (reducer: grep zzz)" in text_of(ran)


def test_compressed_input_is_unpacked_to_repeat_a_map():
    file = InputFile(Path("/data/a.gz"), "file:/data/a.gz", 10)
    assert repeat_command("cat", Split(file, 0, 10)) == "gzip -dc /data/a.gz | cat"


@pytest.mark.parametrize(("platform", "loaded"), [("linux", True), ("darwin", False)])
def test_numpy_is_not_loaded_before_a_fork_on_macos(monkeypatch, platform, loaded):
    monkeypatch.setattr(arrays, "_numpy", None)
    monkeypatch.setattr(arrays.sys, "platform", platform)
    arrays.load_numpy_before_fork(1 << 30)
    assert arrays.numpy_is_loaded() == loaded


def test_the_other_maps_run_and_commit_when_one_fails(words):
    (words / "more.txt").write_text("this one is longer and fails\n")
    (words / "m.sh").write_text('read line; case "$line" in this*) exit 4;; esac; echo "$line"; cat\n')
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-reducer", "NONE", "-output", f"{words}/out"]
    ran = run([*job, "-input", f"{words}/in.txt", "-input", f"{words}/more.txt"], words / "cwd")
    assert ran.returncode == 1
    assert [path.name for path in (words / "out").iterdir()] == ["part-00001"]
    assert "subprocess failed with code 4" in text_of(ran)


def test_the_other_reduces_run_and_commit_when_one_fails(words):
    (words / "r.sh").write_text('cat; [ "$mapreduce_task_partition" != 0 ]\n')
    job = ["-D", "mapreduce.job.reduces=5", "-files", f"{words}/r.sh", "-mapper", "cat", "-reducer", "r.sh"]
    ran = run([*job, "-input", f"{words}/in.txt", "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 1
    assert sorted(path.name for path in (words / "out").iterdir()) == [f"part-0000{number}" for number in (1, 2, 3, 4)]
    assert re.findall(r"reduce task (\d) failed", text_of(ran)) == ["0"]


def run_with_remains(words: Path, kind: str, script: str, *more: str) -> subprocess.CompletedProcess:
    """Runs a job whose mapper, combiner or reducer leaves `$REMAINS` running; it has ended when this returns."""
    (words / "remains.sh").write_text(f"echo $$ > {words}/pid.new; mv {words}/pid.new {words}/pid; exec sleep 600\n")
    known = f"while [ ! -e {words}/pid ]; do sleep 0.01; done\n"
    (words / "x.sh").write_text(script.replace("$REMAINS", f"sh {words}/remains.sh").replace("WAIT", known))
    programs = {"mapper": "cat", "reducer": "cat", kind: "x.sh"}
    job = ["-files", f"{words}/x.sh", *more, *[word for role in programs for word in (f"-{role}", programs[role])]]
    ran = run([*job, "-input", f"{words}/in.txt", "-output", f"{words}/out"], words / "cwd")
    wait_until(lambda: gone_now(int((words / "pid").read_text())))
    return ran


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the children of processes")


@on_linux
@pytest.mark.parametrize("kind", ["mapper", "combiner", "reducer"])
@pytest.mark.parametrize(
    "remains",
    ["$REMAINS &", "setsid $REMAINS &", "(sh -c '$REMAINS; :'; :) &", "echo it fails >&2; $REMAINS >/dev/null &"],
)
def test_a_command_that_fails_is_not_awaited_longer_for_what_it_left_running(words, kind, remains):
    ran = run_with_remains(words, kind, f"cat; {remains}\nWAIT exit 3\n")
    assert ran.returncode == 1
    assert "PipeMapRed.waitOutputThreads(): subprocess failed with code 3" in text_of(ran)


@on_linux
@pytest.mark.parametrize("kind", ["mapper", "combiner", "reducer"])
@pytest.mark.parametrize("script", ["cat; $REMAINS &\nWAIT", "cat; $REMAINS >/dev/null &\nWAIT echo it ends >&2"])
def test_what_a_command_left_running_is_awaited_as_long_as_the_job_says(words, kind, script):
    ran = run_with_remains(words, kind, script, "-D", "stream.joindelay.milli=20")
    assert ran.returncode == 0, text_of(ran)
    assert (words / "out" / "part-00000").read_text() == "a\t\nb\t\nb\t\n"


@on_linux
def test_a_tolerated_failure_is_awaited_like_a_success(words):
    """PipeMapRed.waitOutputThreads looks at the status first."""
    tolerated = ["-D", "stream.non.zero.exit.is.failure=false", "-D", "stream.joindelay.milli=20"]
    ran = run_with_remains(words, "reducer", "cat; $REMAINS &\nWAIT exit 3\n", *tolerated)
    assert ran.returncode == 0, text_of(ran)
    assert (words / "out" / "part-00000").read_text() == "a\t\nb\t\nb\t\n"


@on_linux
def test_what_commands_left_running_ends_with_their_job(words):
    """YARN kills all processes of a task at its end."""
    ran = run_with_remains(words, "mapper", "cat; $REMAINS >/dev/null 2>&1 &\nWAIT")
    assert ran.returncode == 0, text_of(ran)


@on_linux
def test_the_worker_of_a_cluster_that_a_command_created_stays(words):
    """A cluster on EMR outlives the step that created it, and so does one on this machine."""
    (words / "flowspec-worker").symlink_to(shutil.which("sleep"))
    (words / "m.sh").write_text(
        f"{words}/flowspec-worker 600 >/dev/null 2>&1 & echo $! >{words}/pid\n"
        "while [ $(cat /proc/$!/comm) != flowspec-worker ]; do sleep 0.01; done; exit 3\n"
    )
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    assert run(job, words / "cwd").returncode == 1
    os.kill(int((words / "pid").read_text()), signal.SIGKILL)  # raises where there is no such process


def test_version_1_of_the_committer_keeps_everything_back(words):
    version = "mapreduce.fileoutputcommitter.algorithm.version=1"
    job = ["-D", version, "-mapper", "cat", "-reducer", "cat", "-input", f"{words}/in.txt"]
    assert run([*job, "-output", f"{words}/out"], words / "cwd").returncode == 0
    assert sorted(path.name for path in (words / "out").iterdir()) == ["_SUCCESS", "part-00000"]
    assert (words / "out" / "part-00000").read_text() == "a\t\nb\t\nb\t\n"


@pytest.mark.parametrize(
    ("words_given", "named"),
    [
        (["-libjars", "x.jar", "-input", "i", "-output", "o"], "-libjars"),
        (["-input", "i", "-output", "o", "-inputreader", "StreamXmlRecordReader,begin=a,end=b"], "-inputreader"),
        (["-input", "i", "-output", "o", "-io", "typedbytes"], "typedbytes"),
        (
            ["-D", "aggregate.max.num.unique.values=9", "-input", "i", "-output", "o"],
            "aggregate.max.num.unique.values=9",
        ),
        (["-input", "i", "-output", "o", "-inputformat", "SequenceFileInputFormat"], "SequenceFileInputFormat"),
        (["-jt", "host:8032", "-input", "i", "-output", "o"], "-jt host:8032"),
        (["-fs", "hdfs://host", "-input", "i", "-output", "o"], "-fs hdfs://host"),
        (
            ["-input", "i", "-output", "o", "-partitioner", "org.apache.hadoop.mapred.lib.TotalOrderPartitioner"],
            "TotalOrderPartitioner",
        ),
        (["-input", "i", "-output", "o", "-mapper", "org.apache.hadoop.mapred.lib.RegexMapper"], "RegexMapper"),
        (
            ["-D", "mapreduce.job.output.key.comparator.class=org.example.Mine", "-input", "i", "-output", "o"],
            "org.example.Mine",
        ),
        (
            [
                *("-D", "mapreduce.output.fileoutputformat.compress=true"),
                *("-D", "mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.Lz4Codec"),
                *("-input", "i", "-output", "o"),
            ],
            "Lz4Codec",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path, words_given, named):
    ran = run(words_given, tmp_path)
    assert ran.returncode == 1
    assert named in text_of(ran)
    assert "not supported" in text_of(ran)
    assert list(tmp_path.iterdir()) == []


def test_too_many_counters_fail_the_task(words):
    """The task fails, and does not hang, if its command goes on writing to standard error after the last counter."""
    more = "yes 'a line' | head -c 300000 >&2"
    (words / "m.sh").write_text(f'for i in $(seq 130); do echo "reporter:counter:g,c$i,1" >&2; done; {more}; cat\n')
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-reducer", "cat", "-input", f"{words}/in.txt"]
    ran = run([*job, "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 1
    assert "LimitExceededException: Too many counters: 121 max=120" in text_of(ran)


def test_a_reducer_that_does_not_read_its_input(words):
    path = big_input(words)
    job = ["-mapper", "cat", "-reducer", "true", "-input", str(path), "-output", f"{words}/out"]
    ran = run(job, words / "cwd")
    assert ran.returncode == 1
    assert "Caused by: java.io.IOException: subprocess exited successfully" in text_of(ran)


def test_unread_input_is_fine_up_to_the_size_of_the_buffer(words):
    (words / "in.txt").write_bytes(b"x" * 131_071 + b"\n")
    job = ["-mapper", "true", "-reducer", "NONE", "-input", f"{words}/in.txt", "-output"]
    assert run([*job, f"{words}/out"], words / "cwd").returncode == 0
    (words / "in.txt").write_bytes(b"x" * 131_072 + b"\n")
    ran = run([*job, f"{words}/out2"], words / "cwd")
    assert ran.returncode == 1
    assert "Caused by: java.io.IOException: Broken pipe" in text_of(ran)
    tolerant = ["-D", "stream.minRecWrittenToEnableSkip_=0", *job, f"{words}/out3"]
    assert run(tolerant, words / "cwd").returncode == 0


def test_the_log_goes_to_the_syslog_and_the_commands_words_to_standard_error(words):
    (words / "m.sh").write_text('echo "from the mapper" >&2; cat\n')
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run(job, words / "cwd", {"FLOWSPEC_SYSLOG": f"{words}/syslog"})
    assert ran.returncode == 0
    assert text_of(ran) == "from the mapper\n"
    log = (words / "syslog").read_text()
    assert "INFO Job:  map 0% reduce 0%\n" in log
    assert "INFO Job:  map 100% reduce 100%\n" in log
    assert "completed successfully\n" in log
    refused = run(job, words / "cwd", {"FLOWSPEC_SYSLOG": f"{words}/syslog"})
    assert refused.returncode == 5
    assert "Streaming Command Failed!\n" in text_of(refused)
    assert (
        f"ERROR StreamJob: Error Launching job : Output directory file:{words}/out already exists\n"
        in (words / "syslog").read_text()
    )


def test_s3_and_hdfs_stand_for_folders(words):
    roots = {"FLOWSPEC_S3_ROOT": f"{words}/s3", "FLOWSPEC_HDFS_ROOT": f"{words}/hdfs"}
    (words / "s3" / "bucket" / "in").mkdir(parents=True)
    (words / "s3" / "bucket" / "in" / "a.txt").write_text("from s3\n")
    (words / "hdfs" / "user" / "hadoop").mkdir(parents=True)
    (words / "hdfs" / "user" / "hadoop" / "b.txt").write_text("from hdfs, relative\n")
    (words / "m.sh").write_text('cat; echo "$mapreduce_map_input_file"\n')
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-numReduceTasks", "1", "-output", "s3://bucket/out/"]
    ran = run([*job, "-input", "s3://bucket/in/*.txt", "-input", "b.txt"], words / "cwd", roots)
    assert ran.returncode == 0, text_of(ran)
    assert (words / "s3" / "bucket" / "out" / "part-00000").read_text().splitlines() == [
        "from hdfs, relative\t",
        "from s3\t",
        "hdfs:///user/hadoop/b.txt\t",
        "s3://bucket/in/a.txt\t",
    ]
    assert (words / "s3" / "bucket" / "out" / "_SUCCESS").exists()


def test_without_a_folder_for_s3_the_scheme_is_unknown(words):
    ran = run(["-mapper", "cat", "-input", "s3://bucket/in", "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 5
    assert 'ERROR StreamJob: Error Launching job : No FileSystem for scheme "s3"\n' in text_of(ran)


def test_our_own_variables_are_not_passed_on(words):
    job = ["-mapper", "env", "-reducer", "NONE", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run(job, words / "cwd", {"FLOWSPEC_SYSLOG": f"{words}/syslog", "FLOWSPEC_PARALLEL": "1", "OTHER": "kept"})
    assert ran.returncode == 0
    lines = (words / "out" / "part-00000").read_text().splitlines()
    assert "OTHER=kept\t" in lines
    assert [line for line in lines if line.startswith("FLOWSPEC_")] == []


def test_a_name_that_exists_in_the_working_directory_is_left_and_used(words):
    (words / "cwd" / "m.sh").write_text("echo mine\n")
    (words / "m.sh").write_text("echo shipped\n")
    job = ["-files", f"{words}/m.sh", "-mapper", "m.sh", "-reducer", "NONE", "-input", f"{words}/in.txt"]
    assert run([*job, "-output", f"{words}/out"], words / "cwd").returncode == 0
    assert (words / "out" / "part-00000").read_text() == "mine\t\n"
    assert (words / "cwd" / "m.sh").read_text() == "echo mine\n"


def test_of_two_shipped_files_of_one_name_the_first_is_used_with_a_warning(words):
    for folder in ("x", "y"):
        (words / folder).mkdir()
        (words / folder / "m.sh").write_text(f"echo {folder}\n")
    job = ["-files", f"{words}/x/m.sh,{words}/y/m.sh", "-mapper", "m.sh", "-reducer", "NONE"]
    ran = run([*job, "-input", f"{words}/in.txt", "-output", f"{words}/out"], words / "cwd")
    assert (words / "out" / "part-00000").read_text() == "x\t\n"
    assert f"Failed to create symlink: {words}/cwd/m.sh exists and is used as it is" in text_of(ran)
    assert list((words / "cwd").iterdir()) == []


def test_an_archive_does_not_write_outside_of_its_directory(words):
    import tarfile

    with tarfile.open(words / "evil.tgz", "w:gz") as archive:
        archive.add(words / "in.txt", arcname="../../../evil.txt")
    job = ["-archives", f"{words}/evil.tgz", "-mapper", "cat", "-input", f"{words}/in.txt"]
    ran = run([*job, "-output", f"{words}/out"], words / "cwd", {"TMPDIR": str(words)})
    assert ran.returncode == 5
    assert "evil.tgz" in text_of(ran)
    assert not list(words.rglob("evil.txt"))


@pytest.mark.parametrize("name", ["cut.tgz", "cut.zip", "empty.tar", "secret.zip"])
def test_an_archive_that_can_not_be_unpacked_is_named_and_no_link_stays(words, name):
    shutil.make_archive(str(words / "cut"), "gztar", root_dir=words, base_dir="in.txt")
    (words / "cut.tgz").write_bytes((words / "cut.tar.gz").read_bytes()[:60])
    (words / "cut.zip").write_bytes(b"PK")
    (words / "empty.tar").touch()
    with zipfile.ZipFile(words / "secret.zip", "w") as archive:
        archive.writestr("a", "x")
        archive.filelist[0].flag_bits |= 1  # encrypted
    job = ["-files", f"{words}/in.txt", "-archives", f"{words}/{name}", "-mapper", "cat", "-input", f"{words}/in.txt"]
    ran = run([*job, "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 5
    assert f"Error Launching job : {words}/{name} can't be copied to " in text_of(ran)
    assert len(text_of(ran).splitlines()) == 2
    assert list((words / "cwd").iterdir()) == []


@pytest.mark.parametrize("option", ["-files", "-archives"])
def test_a_full_disk_for_shipped_files_is_named_with_its_remedy(small_disk, words, option):
    (words / "big").mkdir()
    (words / "big/data").write_bytes(os.urandom(4 << 20))
    shipped = (
        words / "big/data" if option == "-files" else shutil.make_archive(str(words / "big"), "tar", words / "big")
    )
    job = [option, str(shipped), "-mapper", "cat", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run(job, words / "cwd", {"TMPDIR": str(small_disk)})
    assert ran.returncode == 5
    said = (
        f"{shipped} can't be copied to {small_disk}/.*: No space left on device; TMPDIR names the folder for temporary"
    )
    assert re.search(said, text_of(ran))
    assert list(small_disk.iterdir()) == []


def test_links_to_nowhere_in_a_shipped_directory_are_left_out(words):
    (words / "lib").mkdir()
    (words / "lib/a").symlink_to("../in.txt")
    (words / "lib/gone").symlink_to("nowhere")
    (words / "lib/self").symlink_to(".")
    job = ["-files", f"{words}/lib", "-mapper", "sh -c 'cat lib/self/a; ls lib'", "-reducer", "NONE"]
    ran = run([*job, "-input", f"{words}/in.txt", "-output", f"{words}/out"], words / "cwd")
    assert ran.returncode == 0, text_of(ran)
    assert (words / "out/part-00000").read_text() == "b\t\na\t\nb\t\na\t\nself\t\n"


@pytest.mark.parametrize("given", [{}, {"OPENBLAS_NUM_THREADS": "7"}])
def test_how_the_engine_uses_numpy_is_no_business_of_the_commands(words, given):
    (words / "in.txt").write_bytes(b"line\n" * (17 << 20 >> 2))  # enough for numpy to be worth its import
    (words / "m.sh").write_text("cat > /dev/null; env | grep ^OPENBLAS; true\n")
    shipped = ["-D", "mapreduce.input.fileinputformat.split.minsize=1000000000", "-files", f"{words}/m.sh"]
    what = ["-mapper", "sh m.sh", "-reducer", "cat", "-input", f"{words}/in.txt", "-output", f"{words}/out"]
    ran = run([*shipped, *what], words / "cwd", given)
    assert ran.returncode == 0, text_of(ran)
    told = "".join(f"{name}={value}\t\n" for name, value in given.items())
    assert (words / "out/part-00000").read_text() == told


def test_an_output_below_a_file_is_named(words):
    ran = run(["-input", f"{words}/in.txt", "-output", f"{words}/in.txt/a/b", "-mapper", "cat"], words / "cwd")
    assert ran.returncode == 5
    assert f"Parent path is not a directory: {words}/in.txt is a file" in text_of(ran)
