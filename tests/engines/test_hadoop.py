"""Hadoop's own programs for real: a MapReduce jar made here, the file system's shell, and our FileSystem class."""

import shutil
import subprocess
from pathlib import Path

import pytest

from flowspec.engines import hadoop, jvm, unsupported
from flowspec.engines.counters import parse_counters, parse_progress

from .steps import Step, needs_spark

needs_javac = pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK: javac and jar")


# As of Spark in tests/conftest.py.
QUICK = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")


def compiled(target, *sources_and_options):
    class_path = str(jvm.find_spark().jars / "*")
    words = ["javac", *QUICK, "-Xlint:none", "-cp", class_path, "-d", target, *sources_and_options]
    subprocess.run(words, check=True, timeout=120)


@pytest.fixture(scope="module")
def jar(tmp_path_factory):
    """The jar of WordCount.java, once with a main class in its manifest and once without."""
    folder = tmp_path_factory.mktemp("jar")
    (folder / "classes").mkdir()
    compiled(folder / "classes", Path(__file__).with_name("WordCount.java"))
    for name, options in (("main.jar", ["cfe", "main.jar", "WordCount"]), ("plain.jar", ["cf", "plain.jar"])):
        subprocess.run(["jar", *QUICK, *options, "-C", "classes", "."], cwd=folder, check=True, timeout=120)
        assert (folder / name).exists()
    return folder


@pytest.fixture
def step(tmp_path):
    made = Step.below(tmp_path)
    (made.s3 / "texts").mkdir()
    (made.s3 / "texts" / "a.txt").write_text("b a b\n")
    (made.s3 / "texts" / "b.txt").write_text("a\nc\n")
    return made


def counted(folder):
    assert (folder / "_SUCCESS").exists()
    return [part.read_text() for part in sorted(folder.glob("part-r-*"))]


@needs_spark
@needs_javac
def test_a_mapreduce_jar_on_s3_with_generic_options(step, jar):
    shutil.copytree(jar, step.s3 / "jars")
    args = ["-D", "mapreduce.job.reduces=2", "s3n://texts/", "s3://counts/today"]
    done = step.run("s3://jars/main.jar", *args, properties={"greeting": "hello world"})
    assert done.returncode == 0, done.stderr
    assert "greeting: hello world\n" in done.stdout
    assert sorted("".join(counted(step.s3 / "counts" / "today")).splitlines()) == ["a\t2", "b\t2", "c\t1"]
    assert len(counted(step.s3 / "counts" / "today")) == 2
    log = (step.logs / "syslog").read_text()
    assert parse_counters(log)["Ours"] == {"lines": 3}
    assert parse_counters(log)["Map-Reduce Framework"]["Map input records"] == 3
    assert (100, 100) in [parse_progress(line) for line in log.splitlines()]


@needs_spark
@needs_javac
def test_a_main_class_and_paths_of_hdfs(step, jar):
    (step.hdfs / "user" / "hadoop").mkdir(parents=True)
    (step.hdfs / "user" / "hadoop" / "in.txt").write_text("x x\n")
    done = step.run("command-runner.jar", "hadoop", "jar", f"{jar}/plain.jar", "WordCount", "in.txt", "hdfs:///out")
    assert done.returncode == 0, done.stderr
    assert counted(step.hdfs / "out") == ["x\t2\n"]
    again = step.run(f"{jar}/plain.jar", "in.txt", "hdfs:///out", main_class="WordCount")
    assert again.returncode == 1
    assert "Output directory hdfs:/out already exists" in again.stderr


@needs_spark
def test_the_shell_of_the_file_system(step):
    moved = step.run("command-runner.jar", "hadoop", "fs", "-mv", "s3://texts/a.txt", "s3://texts/moved.txt")
    assert (moved.returncode, moved.stderr) == (0, "")
    put = step.run("command-runner.jar", "hdfs", "dfs", "-cp", "s3a://texts/*.txt", "hdfs:///")
    assert (put.returncode, put.stderr) == (0, "")
    assert sorted(path.name for path in step.hdfs.iterdir()) == ["b.txt", "moved.txt"]
    (step.hdfs / "data").mkdir(parents=True)
    removed = step.run("command-runner.jar", "hadoop", "fs", "-rm", "-r", "-skipTrash", "/data")
    assert removed.returncode == 0, removed.stderr
    assert not (step.hdfs / "data").exists()  # and no folder of this machine was ever meant
    outside = step.run("command-runner.jar", "hadoop", "fs", "-ls", "s3://../s3", "hdfs:///..")
    assert outside.returncode
    assert not outside.stdout
    assert outside.stderr.count("the path leads out of its root") == 2
    missing = step.run("command-runner.jar", "hadoop", "fs", "-ls", "s3://texts/none")
    assert missing.returncode == 1
    assert "`s3://texts/none': No such file or directory" in missing.stderr


@needs_spark
@needs_javac
def test_the_class_beside_its_source_is_what_the_source_says(tmp_path):
    ours = jvm.CLASSES / "flowspec" / "FolderFileSystem.class"
    compiled(tmp_path, ours.with_suffix(".java"), "--release", "8", "-g:none")
    made = disassembled(tmp_path / "flowspec" / "FolderFileSystem.class")
    assert disassembled(ours) == made, "compile it again, as FolderFileSystem.java says"


def disassembled(*paths):
    """The instructions of classes, less where they came from; compilers may number their constants otherwise."""
    words = ["javap", *QUICK, "-p", "-c", *paths]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    return "\n".join(
        line.partition("//")[2] if "//" in line else line.split("#")[0] for line in shown.stdout.splitlines()
    )


def test_a_hadoop_on_path_is_used_first(step, tmp_path, monkeypatch):
    hadoop = tmp_path / "bin" / "hadoop"
    hadoop.parent.mkdir()
    hadoop.write_text('#!/bin/sh\necho "$@"; ls "$HADOOP_CONF_DIR"; echo "$HADOOP_CLASSPATH $HADOOP_CLIENT_OPTS"\n')
    hadoop.chmod(0o755)
    monkeypatch.setenv("PATH", f"{hadoop.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HADOOP_CLIENT_OPTS", "-Dmine='a  b'")
    monkeypatch.setenv("HADOOP_CLASSPATH", "/mine/*:/other.jar")
    done = step.run("s3://jars/x.jar", "a", main_class="Main", properties={"k": "v"})
    assert done.stdout.startswith(f"jar {step.s3}/jars/x.jar Main a\n")
    assert "core-site.xml" in done.stdout
    assert done.stdout.endswith(f"{jvm.CLASSES}:/mine/*:/other.jar -Dmine='a  b' -Dk=v\n")


def test_what_is_missing_is_said_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("flowspec.engines.jvm.find_spark", lambda: None)
    said = unsupported("s3://b/x.jar", "Main", [])
    assert said.startswith("'s3://b/x.jar' needs a `hadoop` on PATH, or the one in Spark, and none is installed; ")
    assert "pip install pyspark" in said


def test_a_java_that_went_away_is_told_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWSPEC_SYSLOG", str(tmp_path / "syslog"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SystemExit, match=r"needs \w+, and .*; (pip )?install "):
        hadoop.main(["fs", "-ls"])


@needs_spark
def test_java_options_with_an_open_quotation_are_named(step, monkeypatch):
    monkeypatch.setenv("HADOOP_CLIENT_OPTS", "-Dx='")
    done = step.run("command-runner.jar", "hadoop", "fs", "-ls", "/")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        ["HADOOP_CLIENT_OPTS=-Dx=': No closing quotation; quote it as for a shell, or unset it"],
    )
