from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowspec.engines import Command, command_for, engine_of, python_module, unsupported
from flowspec.engines.shebang import with_interpreter
from flowspec.errors import FlowspecError

ROOTS = {"s3_root": Path("/home-of-s3"), "hdfs_root": Path("/home-of-hdfs"), "syslog": Path("/logs/syslog")}
STREAMING = python_module("flowspec.engines.streaming")
ENVIRONMENT = {
    "FLOWSPEC_S3_ROOT": "/home-of-s3",
    "FLOWSPEC_HDFS_ROOT": "/home-of-hdfs",
    "FLOWSPEC_SYSLOG": "/logs/syslog",
}


@pytest.mark.parametrize(
    ("jar", "args"),
    [
        ("command-runner.jar", ["hadoop-streaming", "-mapper", "cat"]),
        (
            "/var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar",
            ["/usr/bin/hadoop-streaming", "-mapper", "cat"],
        ),
        ("command-runner.jar", ["hadoop", "jar", "/usr/lib/hadoop/hadoop-streaming.jar", "-mapper", "cat"]),
        ("command-runner.jar", ["hadoop", "jar", "/x/hadoop-streaming-3.4.1.jar", "-mapper", "cat"]),
        ("/home/hadoop/contrib/streaming/hadoop-streaming.jar", ["-mapper", "cat"]),
        ("s3://b/hadoop-streaming-2.7.jar", ("-mapper", "cat")),
    ],
)
def test_every_way_to_name_hadoop_streaming(jar, args):
    assert command_for(jar, None, args, **ROOTS) == Command((*STREAMING, "-mapper", "cat"), ENVIRONMENT)
    assert unsupported(jar, None, args) is None


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("-mapper|s3n://b/m.py --fast|-reducer|cat", "-files|s3n://b/m.py#m.py|-mapper|m.py --fast|-reducer|cat"),
        (
            "-D|x=y|-files|s3://b/l|-mapper|s3://b/x|-combiner|s3://c/x|-reducer|s3://c/x",
            "-D|x=y|-files|s3://b/x#x,s3://c/x#1-x,s3://b/l|-mapper|x|-combiner|1-x|-reducer|1-x",
        ),
        ("-mapper|cat|-input|s3://b/in", "-mapper|cat|-input|s3://b/in"),
    ],
)
def test_the_streaming_jar_of_the_amis_fetches_commands_from_s3(given, made):
    """Where releases have a jar of Hadoop's, which takes them for programs of the machine."""
    old, new = "/home/hadoop/contrib/streaming/hadoop-streaming.jar", "/usr/lib/hadoop/hadoop-streaming.jar"
    assert command_for(old, None, given.split("|"), **ROOTS).argv == (*STREAMING, *made.split("|"))
    assert command_for(new, None, given.split("|"), **ROOTS).argv == (*STREAMING, *given.split("|"))


def test_a_program_is_run_with_its_arguments_untouched():
    args = ["bash", "-c", "echo $x | cat", "a b"]
    assert command_for("command-runner.jar", None, args, **ROOTS).argv == tuple(args)


def test_the_command_runner_leaves_out_empty_arguments_as_on_emr():
    given = ["", "printf", "", "%s", "a", ""]
    assert command_for("command-runner.jar", None, given, **ROOTS).argv == ("printf", "%s", "a")
    given = ["hadoop-streaming", "", "-mapper", "cat"]
    assert command_for("command-runner.jar", None, given, **ROOTS).argv == (*STREAMING, "-mapper", "cat")
    assert "was given nothing to run" in unsupported("command-runner.jar", None, [""])
    script = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    assert command_for(script, None, ["/bin/echo", ""], **ROOTS).argv == ("/bin/echo", "")


@pytest.mark.parametrize(
    "jar",
    [
        "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar",
        "s3n://eu-west-1.elasticmapreduce/libs/script-runner/script-runner.jar",
    ],
)
@pytest.mark.parametrize(
    ("script", "found"),
    [("/opt/run.sh", "/opt/run.sh"), ("s3://b/x/run.sh", "/home-of-s3/b/x/run.sh"), ("./run.sh", "./run.sh")],
)
def test_script_runner_runs_a_script_of_this_machine_or_of_s3(jar, script, found):
    command = command_for(jar, None, [script, "--day", "1"], **ROOTS)
    assert command == Command((found, "--day", "1"), ENVIRONMENT, is_script=True)
    assert unsupported(jar, None, [script]) is None


# What the kernel makes of first lines, and bash of a text without an interpreter.
SCRIPTS = [
    b"#!/bin/sh\necho sh $0 $@\n",
    b"#! \t/usr/bin/env   bash  \necho env $0 $@\n",
    b"#!/bin/sh -eu \necho $- $0 $@\n",
    b"#!/usr/bin/awk -f\nBEGIN { print ARGV[1] }\n",
    b"#!/usr/bin/env bash -u\n",  # one argument: there is no program "bash -u"
    b"echo bash $0 $@ ${BASH_VERSION:+it}\n",
    b"#!\necho no name $@\n",
    b"",
    b"#!/bin/sh\r\necho windows\r\n",
    b"#!sh\necho a name without a folder\n",
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_that_is_not_executable_runs_as_if_it_were(tmp_path, text):
    def run(argv):
        done = subprocess.run(
            ["bash", "-c", '"$@"', "-", *argv], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        return done.returncode, done.stdout, done.stderr.count("\n") > 0

    script = tmp_path / "run"
    script.write_bytes(text)
    made = with_interpreter((str(script), "a b", "c"))
    assert made[-3:] == (str(script), "a b", "c")
    script.chmod(0o755)
    expected = run([str(script), "a b", "c"])
    script.chmod(0o644)
    assert run(made) == (127 if expected[0] == 126 else expected[0], *expected[1:])


def test_a_script_that_is_not_there_is_named_by_bash_and_a_binary_program_has_no_interpreter(tmp_path):
    assert with_interpreter((str(tmp_path / "none"), "x")) == ("bash", str(tmp_path / "none"), "x")
    assert with_interpreter((sys.executable, "x")) == (sys.executable, "x")


REFUSED = [
    ("command-runner.jar", ["s3-dist-cp", "--src=a"], "s3-dist-cp: --dest is missing"),
    (
        "/home/hadoop/lib/emr-s3distcp-1.0.jar",
        ["--src", "a", "--appendToLastFile"],
        "s3-dist-cp: --appendToLastFile is",
    ),
    ("command-runner.jar", ["spark-shell"], "spark-shell: it waits for someone to type"),
    ("command-runner.jar", ["hadoop", "distcp", "a", "b"], "hadoop distcp: it is not available"),
    ("command-runner.jar", ["hdfs"], "hdfs: it is not available"),
    ("command-runner.jar", ["yarn", "top"], "yarn: there is no YARN here"),
    ("command-runner.jar", ["hive-script", "-f", "x"], "hive-script: there is no Hive"),
    ("command-runner.jar", ["/usr/bin/pig-script"], "pig-script: there is no Pig"),
    ("command-runner.jar", ["presto-cli"], "presto-cli: there is no Presto"),
    ("command-runner.jar", ["no-such-program-here"], "there is no program 'no-such-program-here' on PATH"),
    ("command-runner.jar", ["ls -l"], "there is no program 'ls -l' on PATH; make each word an item of `args`: ls, -l"),
    ("command-runner.jar", [], "command-runner.jar was given nothing to run"),
    ("s3://r/script-runner.jar", [], "script-runner.jar was given no script"),
    ("s3://r/script-runner.jar", ["s3://r.elasticmapreduce/libs/hive/hive-script"], "hive-script: "),
    ("s3://r/script-runner.jar", ["s3://r.elasticmapreduce/libs/impala/setup-impala"], "setup-impala: "),
]


@pytest.mark.parametrize(
    ("jar", "args"),
    [
        ("command-runner.jar", ["state-pusher-script"]),
        ("s3://r/script-runner.jar", ["s3://r.elasticmapreduce/libs/state-pusher/0.1/fetch"]),
    ],
)
def test_the_step_of_hadoop_debugging_does_nothing_and_says_so(tmp_path, jar, args):
    assert unsupported(jar, None, args) is None
    assert engine_of(jar, None, args) == ""
    command = command_for(jar, None, args, s3_root=tmp_path, hdfs_root=tmp_path, syslog=tmp_path / "syslog")
    done = subprocess.run(command.argv, capture_output=True, text=True, check=True)
    assert done.stderr == "Hadoop debugging was discontinued by AWS in 2023: this step does nothing here\n"


@pytest.mark.parametrize(("jar", "args", "reason"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_cannot_run_here_is_refused_with_a_remedy(jar, args, reason):
    said = unsupported(jar, None, args)
    assert said.startswith(reason)
    assert "; " in said
    with pytest.raises(FlowspecError) as caught:
        command_for(jar, None, args, **ROOTS)
    assert said == f"{caught.value.message}; {caught.value.remedy}"


def test_a_path_is_not_judged_before_it_is_run():
    assert unsupported("command-runner.jar", None, ["/made/by/an/earlier/step.sh"]) is None


STREAMING_REFUSED = [
    (["-inputreader", "StreamXmlRecord,begin=<a>,end=</a>"], "-inputreader"),
    (["-io", "typedbytes"], "stream.map.input=typedbytes (-io typedbytes)"),
    (["-inputformat", "org.apache.hadoop.mapred.SequenceFileInputFormat"], "SequenceFileInputFormat"),
]


@pytest.mark.parametrize(("options", "name"), STREAMING_REFUSED, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("jar", ["command-runner.jar", "/x/hadoop-streaming.jar"])
def test_an_option_that_streaming_lacks_is_refused_by_name(jar, options, name):
    words = ["-files", "s3://not/yet/there.py", "-input", "s3://b/i", "-output", "s3://b/o", "-mapper", "cat", *options]
    said = unsupported(jar, None, (["hadoop-streaming"] if jar == "command-runner.jar" else []) + words)
    assert name in said
    assert "is not supported by the local streaming engine; leave the step out" in said


def test_generic_options_that_streaming_lacks_are_refused_by_name():
    words = ["-libjars", "x.jar", "-input", "i", "-output", "o", "-mapper", "cat"]
    assert unsupported("command-runner.jar", None, ["hadoop-streaming", *words]).startswith("-libjars is not supported")


@pytest.mark.parametrize(
    "words", [[], ["-nonsense"], ["-input", "i"], ["-D", "mapreduce.job.reduces=x", "-input", "i"]]
)
def test_what_hadoop_itself_refuses_is_left_to_the_step(words):
    assert unsupported("command-runner.jar", None, ["hadoop-streaming", *words]) is None


ENGINES = [
    ("command-runner.jar", ["hadoop-streaming", "-mapper", "cat"], "streaming"),
    ("command-runner.jar", ["s3-dist-cp", "--src=a", "--dest=b"], "s3-dist-cp"),
    ("command-runner.jar", ["bash", "-c", "true"], "command"),
    ("s3://r/script-runner.jar", ["s3://b/x.sh"], "script"),
    ("command-runner.jar", ["hive-script"], ""),
]


@pytest.mark.parametrize(("jar", "args", "engine"), ENGINES, ids=lambda value: str(value)[:30])
def test_the_engine_of_a_step(jar, args, engine):
    assert engine_of(jar, None, args) == engine


def test_a_module_is_run_from_any_directory_and_not_from_that_directory(tmp_path):
    # A file that a step shipped under the name of a module of Python.
    (tmp_path / "runpy.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "logging.py").write_text("raise SystemExit('the wrong module')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        python_module("flowspec.emulator.worker.main", str(tmp_path), "j-none"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the wrong module" not in done.stderr
    assert "FileNotFoundError" in done.stderr, "it got as far as looking for the cluster's lock"
    assert python_module("x")[0] == sys.executable
