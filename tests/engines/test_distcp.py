"""S3DistCp on the trees of this machine."""

import gzip
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from flowspec.engines import distcp
from flowspec.errors import FlowspecError
from tests.engines.streaming.run.test_robustness import without_roots_rights
from tests.waiting import wait_until

from .steps import Step


@pytest.fixture
def step(tmp_path):
    made = Step.below(tmp_path)
    for name in ("2026/a.log", "2026/b.log", "2026/c.txt", "2027/a.log"):
        path = made.s3 / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    return made


def copy(step, *args, **members):
    return step.run("command-runner.jar", "s3-dist-cp", *args, **members)


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tree_is_copied_from_s3_to_hdfs(step):
    done = copy(step, "--src=s3://logs/2026/", "--dest=hdfs:///in")
    assert done.returncode == 0, done.stderr
    assert tree(step.hdfs / "in") == tree(step.s3 / "logs" / "2026")
    assert (
        "INFO com.amazon.elasticmapreduce.s3distcp.S3DistCp: 3/3: hdfs:///in/c.txt"
        in (step.logs / "syslog").read_text()
    )


def test_a_pattern_matches_the_whole_uri(step):
    assert copy(step, "--src", "s3://logs/", "--dest", "hdfs:///in", "--srcPattern", r".*/2026/.*\.log").returncode == 0
    assert sorted(tree(step.hdfs / "in")) == ["2026/a.log", "2026/b.log"]
    assert copy(step, "--src", "s3://logs/", "--dest", "hdfs:///none", "--srcPattern", r"\.log").returncode == 0
    assert tree(step.hdfs) == {
        f"in/{name}": (step.s3 / "logs" / name).read_bytes() for name in ("2026/a.log", "2026/b.log")
    }


def test_files_of_a_group_become_one(step):
    done = copy(step, "--src=s3://logs/2026", "--dest=s3://joined/", r"--groupBy=.*(log)$", "--outputCodec=gz")
    assert done.returncode == 0, done.stderr
    (name,) = tree(step.s3 / "joined")
    assert name == "log.gz"
    assert gzip.decompress((step.s3 / "joined" / name).read_bytes()) == b"2026/a.log\n2026/b.log\n"
    assert copy(step, "--src=s3://joined", "--dest=s3://plain", "--outputCodec=none").returncode == 0
    assert tree(step.s3 / "plain") == {"log": b"2026/a.log\n2026/b.log\n"}


def test_patterns_are_read_as_java_reads_them(step):
    (step.s3 / "logs" / "2026" / "\u0663").write_text("no")  # a digit, but not for the \\d of Java
    done = copy(step, "--src=s3://logs", "--dest=hdfs:///in", r"--groupBy=.*/(?<year>\d+)/(?:[ab]\.log|\d)")
    assert done.returncode == 0, done.stderr
    assert sorted(tree(step.hdfs / "in")) == ["2026/2026", "2027/2027"]
    assert tree(step.hdfs / "in")["2026/2026"] == b"2026/a.log\n2026/b.log\n"


def test_a_target_size_bounds_the_files_of_a_group(step):
    for number in range(3):
        (step.s3 / "logs" / "2026" / f"{number}.big").write_bytes(bytes([number]) * (1 << 20))
    done = copy(step, "--src=s3://logs/2026", "--dest=hdfs:///out", r"--groupBy=.*(big)", "--targetSize=2")
    assert done.returncode == 0, done.stderr
    assert {name: len(data) >> 20 for name, data in tree(step.hdfs / "out").items()} == {"big": 2, "big1": 1}


def test_what_was_copied_can_be_deleted(step):
    before = tree(step.s3 / "logs" / "2026")
    done = copy(step, "--src=s3://logs/2026", "--dest=hdfs:///in", "--deleteOnSuccess", "--s3ServerSideEncryption")
    assert done.returncode == 0, done.stderr
    assert tree(step.hdfs / "in") == before
    assert tree(step.s3 / "logs" / "2026") == {}
    assert "without effect on this machine: --s3ServerSideEncryption\n" in (step.logs / "syslog").read_text()


def test_what_was_written_is_not_deleted_with_what_it_was_copied_from(step):
    before = tree(step.s3 / "logs" / "2026")
    same = copy(step, "--src=s3://logs/2026", "--dest=s3://logs/2026/", "--deleteOnSuccess")
    assert same.returncode == 0, same.stderr
    assert tree(step.s3 / "logs" / "2026") == before
    packed = copy(step, "--src=s3://logs/2026", "--dest=s3://logs/2026", "--outputCodec=gz", "--deleteOnSuccess")
    assert packed.returncode == 0, packed.stderr
    assert {name.endswith(".gz") for name in tree(step.s3 / "logs" / "2026")} == {True}


def test_only_listed_prefixes_are_copied(step):
    (step.s3 / "list").mkdir()
    (step.s3 / "list" / "prefixes").write_text("s3://logs/2027\ns3://logs/2026/c\n")
    args = ["--src=s3://logs", "--dest=hdfs:///in", "--srcPrefixesFile=s3://list/prefixes"]
    assert copy(step, *args).returncode == 0
    assert sorted(tree(step.hdfs / "in")) == ["2026/c.txt", "2027/a.log"]


def test_a_prefix_is_a_line_and_may_contain_blanks(step):
    (step.s3 / "logs" / "my files").mkdir()
    (step.s3 / "logs" / "my files" / "x").touch()
    (step.s3 / "logs" / "mystery").touch()
    (step.s3 / "list").mkdir()
    (step.s3 / "list" / "prefixes").write_bytes(b"s3://logs/my files\r\n\n")
    args = ["--src=s3://logs", "--dest=hdfs:///in", "--srcPrefixesFile=s3://list/prefixes"]
    assert copy(step, *args).returncode == 0
    assert sorted(tree(step.hdfs / "in")) == ["my files/x"]


def test_a_source_that_is_not_there(step):
    done = copy(step, "--src=s3://none/x", "--dest=hdfs:///in")
    assert done.returncode == 1
    assert "Input path does not exist: s3://none/x" in done.stderr
    assert "ERROR" in (step.logs / "syslog").read_text()


@pytest.mark.parametrize(
    ("names", "options", "lost"),
    [
        (["x/a", "x/a.gz"], ["--outputCodec=none"], "s3://x/a and s3://x/a.gz would both become a,"),
        (["x/a", "x/a.gz"], ["--outputCodec=gz"], "s3://x/a and s3://x/a.gz would both become a.gz,"),
        (
            ["x/log", "x/log-b", "x/log1"],
            [r"--groupBy=.*/(log1?)(?:-.)?", "--targetSize=1"],
            "s3://x/log-b and s3://x/log1 would both become log1,",
        ),
    ],
)
def test_no_file_is_written_over_another_of_the_same_copy(step, names, options, lost):
    for name in names:
        (step.s3 / name).parent.mkdir(exist_ok=True)
        (step.s3 / name).write_bytes(gzip.compress(b"x") if name.endswith(".gz") else b"x" * (1 << 20))
    done = copy(step, "--src=s3://x", "--dest=hdfs:///out", "--deleteOnSuccess", *options)
    assert (done.returncode, lost in done.stderr) == (1, True), done.stderr
    assert sorted(tree(step.s3 / "x")) == [Path(name).name for name in names]
    assert tree(step.hdfs) == {}


@pytest.mark.parametrize(
    "damaged",
    [b"plain", gzip.compress(b"cut")[:-9], gzip.compress(b"x")[:10] + b"\xff" * 20],
    ids=["no gzip", "cut", "other bytes"],
)
def test_a_damaged_archive_is_named(step, damaged):
    (step.s3 / "x").mkdir()
    (step.s3 / "x" / "a.gz").write_bytes(damaged)
    done = copy(step, "--src=s3://x", "--dest=hdfs:///out", "--outputCodec=none")
    assert done.returncode == 1
    assert done.stderr.startswith("s3-dist-cp: s3://x/a.gz is damaged, or not a gzip file: ")
    assert "Traceback" not in done.stderr


def test_a_prefix_need_not_be_text(step):
    (step.s3 / "logs" / os.fsdecode(b"\xff1")).touch()
    (step.s3 / "list").mkdir()
    (step.s3 / "list" / "prefixes").write_bytes(b"s3://logs/\xff\n")
    done = copy(step, "--src=s3://logs", "--dest=hdfs:///in", "--srcPrefixesFile=s3://list/prefixes")
    assert done.returncode == 0, done.stderr
    assert sorted(tree(step.hdfs / "in")) == [os.fsdecode(b"\xff1")]


@pytest.fixture
def other_disk(tmp_path, monkeypatch):
    """A folder for temporary files on another file system than the trees."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert Path(folder).stat().st_dev != tmp_path.stat().st_dev
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_files_come_from_another_disk_as_well(step, other_disk):
    done = copy(step, "--src=s3://logs/2026/", "--dest=hdfs:///in")
    assert done.returncode == 0, done.stderr
    assert tree(step.hdfs / "in") == tree(step.s3 / "logs" / "2026")
    assert list(other_disk.iterdir()) == []


def test_sigterm_leaves_nothing_that_is_not_finished(step, other_disk):
    with (step.s3 / "logs" / "zeros").open("wb") as file:
        file.truncate(1 << 40)
    with step.start(
        "command-runner.jar", "s3-dist-cp", "--src=s3://logs/zeros", "--dest=hdfs:///in", "--outputCodec=gz"
    ) as process:
        wait_until(lambda: tree(other_disk))
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
    assert list(other_disk.iterdir()) == []
    assert tree(step.hdfs) == {}


# Runs the program of the arguments, which is killed in the middle of a copy.
KILLED_WHILE_IT_COPIES = """
import os, pathlib, runpy, shutil, signal, sys

def copyfile(source, target):
    pathlib.Path(target).write_text("half of it")
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copyfile = copyfile
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_a_killed_copy_to_another_disk_left_is_removed_by_the_next(step, other_disk):
    (step.s3 / "logs" / "zeros").write_text("more")
    words = ("--src=s3://logs/", "--srcPattern=.*zeros", "--dest=hdfs:///in")
    begin = [sys.executable, "-c", KILLED_WHILE_IT_COPIES]
    with step.start("command-runner.jar", "s3-dist-cp", *words, before=begin) as process:
        assert process.wait() == -signal.SIGKILL
    (left,) = (step.hdfs / "in").iterdir()
    assert left.name == f".s3-dist-cp.{process.pid}"
    for name in (f".s3-dist-cp.{os.getpid()}", ".s3-dist-cp.1", ".s3-dist-cp.mine", "zeros.4999999"):
        (step.hdfs / "in" / name).write_text(name)
    (step.s3 / "logs" / "zeros").write_text("less")
    assert copy(step, *words).returncode == 0
    assert sorted(tree(step.hdfs / "in")) == sorted(
        ["zeros", f".s3-dist-cp.{os.getpid()}", ".s3-dist-cp.1", ".s3-dist-cp.mine", "zeros.4999999"]
    )


def test_a_folder_that_can_not_be_read_is_not_left_out(step):
    (step.s3 / "logs" / "2027").chmod(0)
    done = copy(step, "--src=s3://logs", "--dest=hdfs:///in", before=without_roots_rights())
    assert done.returncode == 1
    assert f"Permission denied: '{step.s3}/logs/2027'" in done.stderr
    assert not tree(step.hdfs)


def test_a_name_may_be_as_long_as_the_disk_allows(step, other_disk):
    (step.s3 / "logs" / "2026" / ("n" * 255)).write_text("long")
    done = copy(step, "--src=s3://logs/2026", "--dest=hdfs:///in")
    assert done.returncode == 0, done.stderr
    assert "n" * 255 in tree(step.hdfs / "in")


REFUSED = {
    "--dest is missing": ["--src=a"],
    "--outputManifest is not supported here": ["--src=a", "--dest=b", "--outputManifest=m.gz"],
    "--outputCodec=lzo is not supported here": ["--src=a", "--dest=b", "--outputCodec=lzo"],
    "--srcPattern=(: missing ), unterminated subpattern at position 0": ["--src=a", "--dest=b", "--srcPattern=("],
    "--srcPattern=[a-z&&[^b]]: Possible set intersection at position 4": [
        *("--src=a", "--dest=b", "--srcPattern=[a-z&&[^b]]"),
    ],
    "--groupBy has no group": ["--src=a", "--dest=b", "--groupBy=.*"],
    "--deleteOnSuccess=false: --deleteOnSuccess takes no value": ["--src=a", "--dest=b", "--deleteOnSuccess=false"],
    "--srcPrefixesFile has no value": ["--src=a", "--dest=b", "--deleteOnSuccess", "--srcPrefixesFile="],
    "--srcPattern has no value": ["--src=a", "--dest=b", "--srcPattern"],
    "--targetSize=1g is not a number": ["--src=a", "--dest=b", "--targetSize", "1g"],
}


@pytest.mark.parametrize(("reason", "words"), REFUSED.items(), ids=REFUSED)
def test_what_is_wrong_or_not_supported_is_refused_by_name(reason, words):
    with pytest.raises(FlowspecError) as caught:
        distcp.parse(words)
    assert caught.value.message == f"s3-dist-cp: {reason}"
    assert caught.value.remedy
