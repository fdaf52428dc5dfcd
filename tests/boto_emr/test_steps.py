"""Steps: boto 2's words for the AMIs, a spec's form for a release."""

import pytest

from flowspec.boto_emr import (
    BootstrapAction,
    HiveStep,
    InstallHiveStep,
    InstallPigStep,
    InstanceGroup,
    JarStep,
    PigStep,
    ScriptRunnerStep,
    Step,
    StreamingStep,
)
from flowspec.boto_emr.step import step_config
from flowspec.request.steps.target import StepTarget

AMI = StepTarget(pre_emr4=True, region="eu-west-1")
RELEASE = StepTarget(pre_emr4=False, region="eu-west-1")
HERE = "s3n://us-east-1.elasticmapreduce/libs/"
THERE = "s3://eu-west-1.elasticmapreduce/libs/"


def jar_step(step, target):
    return step_config(step, target)["HadoopJarStep"]


# Written down from boto 2.49.0: what its steps' args() give.
@pytest.mark.parametrize(
    ("step", "args"),
    [
        (StreamingStep("s", "cat"), ["-mapper", "cat", "-jobconf", "mapred.reduce.tasks=0"]),
        (
            StreamingStep(
                "s",
                "s3n://b/m.py --fast",
                "s3n://b/r.py",
                "s3n://b/c.py",
                "CONTINUE",
                ["s3n://b/f#f", "s3n://b/g#g"],
                ["s3n://b/a.tgz#a"],
                ["-D", "x=y", "-libjars", "l.jar", "-numReduceTasks", "2"],
                ["in1", "in2"],
                "out",
            ),
            [
                "-D",
                "x=y",
                "-libjars",
                "l.jar",
                "-numReduceTasks",
                "2",
                "-mapper",
                "s3n://b/m.py --fast",
                "-combiner",
                "s3n://b/c.py",
                "-reducer",
                "s3n://b/r.py",
                "-input",
                "in1",
                "-input",
                "in2",
                "-output",
                "out",
                "-cacheFile",
                "s3n://b/f#f",
                "-cacheFile",
                "s3n://b/g#g",
                "-cacheArchive",
                "s3n://b/a.tgz#a",
            ],
        ),
        (
            StreamingStep("s", "cat", "NONE", input="in", output="out", step_args="-verbose"),
            ["-verbose", "-mapper", "cat", "-reducer", "NONE", "-input", "in", "-output", "out"],
        ),
        (
            HiveStep("h", "s3n://b/q.hql", "0.8.1", ["-d", "k=v"]),
            f"{HERE}hive/hive-script --base-path {HERE}hive/ --hive-versions 0.8.1 --run-hive-script --args "
            "-f s3n://b/q.hql -d k=v".split(),
        ),
        (
            InstallHiveStep(hive_site="s3n://b/site.xml"),
            f"{HERE}hive/hive-script --base-path {HERE}hive/ --install-hive --hive-versions latest "
            "--hive-site=s3n://b/site.xml".split(),
        ),
        (
            PigStep("p", "s3n://b/q.pig", pig_args=["-p", "k=v"]),
            f"{HERE}pig/pig-script --base-path {HERE}pig/ --pig-versions latest --run-pig-script --args "
            "-f s3n://b/q.pig -p k=v".split(),
        ),
        (
            InstallPigStep("0.9.2"),
            f"{HERE}pig/pig-script --base-path {HERE}pig/ --install-pig --pig-versions 0.9.2".split(),
        ),
        (JarStep("j", "s3n://b/x.jar", step_args="one"), ["one"]),
        (JarStep("j", "s3n://b/x.jar"), []),
        (ScriptRunnerStep("s", step_args=["s3n://b/x.sh"]), ["s3n://b/x.sh"]),
    ],
)
def test_the_words_of_boto(step, args):
    assert step.args() == args


def test_for_the_amis_a_step_is_sent_as_boto_sent_it():
    step = StreamingStep("s", "s3n://b/m.py", "s3n://b/r.py", action_on_failure="CONTINUE")
    assert step_config(step, AMI) == {
        "Name": "s",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "/home/hadoop/contrib/streaming/hadoop-streaming.jar",
            "Args": ["-mapper", "s3n://b/m.py", "-reducer", "s3n://b/r.py"],
        },
    }


def test_a_release_gets_commands_in_s3_shipped():
    step = StreamingStep("s", "s3n://b/m.py --fast", "s3://c/m.py", "cat", input="s3://b/in", output="s3://b/out")
    made = jar_step(step, RELEASE)
    assert made["Jar"] == "command-runner.jar"
    assert made["Args"] == (
        [
            "hadoop-streaming",
            "-files",
            "s3n://b/m.py,s3://c/m.py#m-2.py",
            "-mapper",
            "m.py --fast",
            "-combiner",
            "cat",
            "-reducer",
            "m-2.py",
            "-input",
            "s3://b/in",
            "-output",
            "s3://b/out",
        ]
    )


def test_what_the_script_ships_itself_goes_along():
    step = StreamingStep("s", "s3://b/m.py", "cat", step_args=["-D", "x=y", "-files", "s3://b/l.py,s3://b/k.py"])
    assert jar_step(step, RELEASE)["Args"][:5] == [
        "hadoop-streaming", "-files", "s3://b/m.py,s3://b/l.py,s3://b/k.py", "-D", "x=y",
    ]  # fmt: skip


def test_two_files_of_one_name_are_hadoop_s_to_refuse():
    step = StreamingStep("s", "cat", "cat", step_args=["-files", "s3://a/x,s3://b/x", "-archives", "s3://a/y"])
    assert jar_step(step, RELEASE)["Args"][1:5] == ["-files", "s3://a/x,s3://b/x", "-archives", "s3://a/y"]


def test_a_command_that_is_no_uri_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat").touch()
    (tmp_path / "map.py").touch()
    step = StreamingStep("s", "map.py", "cat", cache_files=["s3://b/map.py#map.py"])
    made = jar_step(step, RELEASE)["Args"]
    assert made == ["hadoop-streaming", *step.args()]


def test_a_jar_of_one_s_own_stays():
    step = StreamingStep("s", "s3://b/m.py", "cat", jar="s3://b/my-streaming.jar")
    assert jar_step(step, AMI)["Jar"] == "s3://b/my-streaming.jar"
    assert jar_step(step, RELEASE) == {
        "Jar": "s3://b/my-streaming.jar",
        "Args": ["-files", "s3://b/m.py", "-mapper", "m.py", "-reducer", "cat"],
    }


@pytest.mark.parametrize("target", [AMI, RELEASE])
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (["-numReduceTasks", "2", "-D", "x=y"], ["-D", "x=y", "-numReduceTasks", "2"]),
        (["-partitioner", "P", "-Dx=y", "-libjars", "a,b"], ["-Dx=y", "-libjars", "a,b", "-partitioner", "P"]),
        (["-verbose", "-D"], ["-D", "-verbose"]),  # what has no value is Hadoop's to refuse
    ],
)
def test_generic_options_go_first(given, sent, target):
    """GenericOptionsParser stops at the first option that is not its own: behind one, -D is an error of Streaming's."""
    args = jar_step(StreamingStep("s", "cat", "cat", step_args=given), target)["Args"]
    assert args[: args.index("-mapper")] == [*([] if target.pre_emr4 else ["hadoop-streaming"]), *sent]


@pytest.mark.parametrize(
    ("step", "args"),
    [
        (
            HiveStep("h", "s3://b/q.hql", hive_args=["-d", "k=v"]),
            "hive-script --run-hive-script --args -f s3://b/q.hql -d k=v",
        ),
        (PigStep("p", "s3://b/q.pig", pig_args="-x"), "pig-script --run-pig-script --args -f s3://b/q.pig -x"),
    ],
)
def test_hive_and_pig_on_a_release(step, args):
    assert jar_step(step, RELEASE) == {"Jar": "command-runner.jar", "Args": args.split()}


@pytest.mark.parametrize("make", [InstallHiveStep, InstallPigStep])
def test_nothing_is_installed_on_a_release(make):
    with pytest.raises(ValueError, match=r"leave this step out and give run_jobflow api_params=.*(Hive|Pig)"):
        step_config(make(), RELEASE)


@pytest.mark.parametrize(
    "make",
    [lambda **kw: HiveStep("h", "q", **kw), lambda **kw: PigStep("p", "q", **kw), InstallHiveStep, InstallPigStep],
)
def test_action_on_failure_of_hive_and_pig(make):
    """boto#3063: boto 2 had no such argument."""
    assert step_config(make(), AMI)["ActionOnFailure"] == "TERMINATE_JOB_FLOW"
    assert step_config(make(action_on_failure="CONTINUE"), AMI)["ActionOnFailure"] == "CONTINUE"


def test_libraries_come_from_the_connection_s_region():
    made = jar_step(HiveStep("h", "s3n://b/q.hql"), AMI)
    assert made["Jar"] == f"{THERE}script-runner/script-runner.jar"
    assert made["Args"][:3] == [f"{THERE}hive/hive-script", "--base-path", f"{THERE}hive/"]
    assert jar_step(ScriptRunnerStep("s", step_args=["s3://b/x.sh"]), RELEASE)["Jar"] == made["Jar"]


def test_a_region_that_the_script_names_stays():
    jar = f"{HERE}script-runner/script-runner.jar"
    assert jar_step(JarStep("j", jar, step_args=["x"]), AMI) == {"Jar": jar, "Args": ["x"]}


@pytest.mark.parametrize("target", [AMI, RELEASE])
def test_any_object_with_boto_s_methods_is_a_step(target):
    class Mine:
        name, action_on_failure = "mine", "CONTINUE"

        def jar(self):
            return "s3://b/x.jar"

        def args(self):
            return ("a", "b")

        def main_class(self):
            return "Main"

    assert jar_step(Mine(), target) == {"Jar": "s3://b/x.jar", "MainClass": "Main", "Args": ["a", "b"]}


@pytest.mark.parametrize("method", ["jar", "args", "main_class"])
def test_a_step_of_one_s_own_has_to_say_all(method):
    with pytest.raises(NotImplementedError):
        getattr(Step(), method)()


def test_arguments_of_the_caller_are_not_changed():
    given = ["-numReduceTasks", "2", "-D", "x=y", "-files", "a"]
    step = StreamingStep("s", "s3://b/m", "cat", step_args=given)
    jar_step(step, RELEASE)
    jar_step(step, AMI)
    assert given == ["-numReduceTasks", "2", "-D", "x=y", "-files", "a"]


def test_what_is_printed():
    step = StreamingStep("s", "m", "r", input="in", output="out")
    assert repr(step) == (
        "flowspec.boto_emr.step.StreamingStep(name='s', mapper='m', reducer='r', "
        "action_on_failure='TERMINATE_JOB_FLOW', cache_files=None, cache_archives=None, step_args=None, "
        "input='in', output='out', jar='/home/hadoop/contrib/streaming/hadoop-streaming.jar')"
    )
    assert repr(BootstrapAction("b", "s3://b/x", "one")) == (
        "flowspec.boto_emr.bootstrap_action.BootstrapAction(name='b', path='s3://b/x', bootstrap_action_args=['one'])"
    )
    assert repr(InstanceGroup(2, "CORE", "m5.xlarge", "SPOT", "c", 0.1)) == (
        "flowspec.boto_emr.instance_group.InstanceGroup(name='c', num_instances=2, role='CORE', type='m5.xlarge', "
        "market = 'SPOT', bidprice = '0.1')"
    )


@pytest.mark.parametrize("bid", [None, 0, ""])
def test_a_spot_group_needs_a_bid_price(bid):
    with pytest.raises(ValueError, match="bidprice must be specified if market == SPOT"):
        InstanceGroup(1, "TASK", "m5.xlarge", "SPOT", "t", bid)
