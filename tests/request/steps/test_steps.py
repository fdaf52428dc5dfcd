"""Every kind of step, for releases and for the AMIs before them, as the AWS CLI and boto.emr write them."""

import json

import pytest

from flowspec.errors import SpecError
from tests.specs import compiled

NEW = "release_label: emr-5.36.0\nregion: eu-west-1\n"
OLD = "ami_version: 3.11.0\nregion: eu-west-1\n"
LIBS = "s3://eu-west-1.elasticmapreduce/libs"
DATA = "input: s3://b/in/, output: s3://b/out/"
RUNNER = f"{LIBS}/script-runner/script-runner.jar"


@pytest.fixture
def job(tmp_path):
    def make(world, step, files=()):
        for name in files:
            (tmp_path / name).write_text(f"this is {name}\n")
        text = f"flowspec: v1\nname: x\nmaster_instance_type: m5.xlarge\nstaging: s3://acme/staging\n{world}steps:\n  - {{name: a, {step}}}\n"
        return compiled(tmp_path, text)

    return make


def jar(request):
    return request.params["Steps"][0]["HadoopJarStep"]


@pytest.mark.parametrize(
    ("mapper", "told", "hint"),
    [
        ("my mapper.py", "does not find the file 'my mapper.py'", "rename it"),
        ("./my mapper.py --fast x", "does not find the file './my mapper.py'", "rename it"),
        ("dir x/m.py -v", "does not find the file 'dir x/m.py'", "quote it: \"'dir x/m.py'\""),
        ("'my mapper.py' x", "can't ship a file named 'my mapper.py'", "letters, digits"),
        (
            "'s3://b/my mapper.py' x",
            "can't ship a file with a blank in its URI: s3://b/my mapper.py",
            "without a blank",
        ),
    ],
)
def test_a_program_with_blanks_in_its_name_is_refused(job, tmp_path, mapper, told, hint):
    (tmp_path / "dir x").mkdir()
    with pytest.raises(SpecError) as refused:
        job(NEW, f'type: streaming, mapper: "{mapper}", {DATA}', ["my mapper.py", "dir x/m.py"])
    (found,) = (one for one in refused.value.diagnostics if one.id == "FS405")
    assert (told in found.message, hint in found.hint) == (True, True)


@pytest.mark.parametrize(
    ("shipped", "character"),
    [
        ("files: ['s3://b/a b.txt']", "a blank"),
        ("files: ['s3://b/a.txt#a b']", "a blank"),
        ("files: ['m.py#a b']", "a blank"),
        ("archives: ['s3://b/a.zip#a,b']", "','"),
        ("libjars: ['s3://b/{a}.jar']", "'{'"),
        ("stage: false, files: ['/tmp/a b']", "a blank"),
    ],
)
def test_what_the_list_of_shipped_files_can_not_hold_is_refused(job, shipped, character):
    """`-files 's3://b/a b.txt'` ends with java.net.URISyntaxException, Illegal character in path at index 8."""
    with pytest.raises(SpecError, match=f"can't ship a file with {character} in its URI") as refused:
        job(NEW, f"type: streaming, mapper: cat, {shipped}, {DATA}", ["m.py"])
    assert [one.id for one in refused.value.diagnostics if one.severity.value == "error"] == ["FS405"]


@pytest.mark.parametrize(
    ("mapper", "made"),
    [
        ("'dir x/m.py' -v", "m.py -v"),
        ("m.py my mapper.py", "m.py my mapper.py"),
        ("cat my mapper.py", "cat my mapper.py"),
    ],
)
def test_a_folder_with_blanks_is_quoted_and_arguments_may_be_files(job, tmp_path, mapper, made):
    (tmp_path / "dir x").mkdir()
    args = jar(job(NEW, f'type: streaming, mapper: "{mapper}", {DATA}', ["m.py", "my mapper.py", "dir x/m.py"]))["Args"]
    assert args[args.index("-mapper") + 1] == made


# What aws-cli 1.46.3 makes of `--steps Type=…,Args=…` (awscli.customizations.emr.steputils), with and without a release label.
CLI = {
    "type: streaming, files: [s3://b/m.py, s3://b/r.py], mapper: m.py, reducer: r.py, input: s3://b/in, output: s3://b/out": (
        ("command-runner.jar", ["hadoop-streaming", "-files", "s3://b/m.py,s3://b/r.py", "-mapper", "m.py", "-reducer", "r.py", "-input", "s3://b/in", "-output", "s3://b/out"]),
        ("/home/hadoop/contrib/streaming/hadoop-streaming.jar", ["-files", "s3://b/m.py,s3://b/r.py", "-mapper", "m.py", "-reducer", "r.py", "-input", "s3://b/in", "-output", "s3://b/out"]),
    ),
    "type: spark, deploy_mode: cluster, main_class: a.B, application: s3://b/app.jar, args: [10]": (
        ("command-runner.jar", ["spark-submit", "--deploy-mode", "cluster", "--class", "a.B", "s3://b/app.jar", "10"]),
        (RUNNER, ["/home/hadoop/spark/bin/spark-submit", "--deploy-mode", "cluster", "--class", "a.B", "s3://b/app.jar", "10"]),
    ),
    "type: hive, script: s3://b/q.hql, defines: {INPUT: s3://b/in, OUTPUT: s3://b/out}": (
        ("command-runner.jar", ["hive-script", "--run-hive-script", "--args", "-f", "s3://b/q.hql", "-d", "INPUT=s3://b/in", "-d", "OUTPUT=s3://b/out"]),
        (RUNNER, [f"{LIBS}/hive/hive-script", "--run-hive-script", "--hive-versions", "latest", "--args", "-f", "s3://b/q.hql", "-d", "INPUT=s3://b/in", "-d", "OUTPUT=s3://b/out"]),
    ),
    "type: pig, script: s3://b/q.pig, params: {INPUT: s3://b/in}": (
        ("command-runner.jar", ["pig-script", "--run-pig-script", "--args", "-f", "s3://b/q.pig", "-p", "INPUT=s3://b/in"]),
        (RUNNER, [f"{LIBS}/pig/pig-script", "--run-pig-script", "--pig-versions", "latest", "--args", "-f", "s3://b/q.pig", "-p", "INPUT=s3://b/in"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", CLI, ids=lambda step: step.split(",")[0].removeprefix("type: "))
def test_a_step_is_what_the_aws_cli_makes_of_it(job, step):
    for world, (name, args) in zip((NEW, OLD), CLI[step], strict=True):
        assert jar(job(world, step)) == {"Jar": name, "Args": args}


def test_a_custom_jar_is_what_the_aws_cli_makes_of_it(job):
    # Type=CUSTOM_JAR,Jar=…,MainClass=a.B,Args=[a,b],Properties="k1=v1,k2"
    step = "type: jar, jar: s3://b/x.jar, main_class: a.B, args: [a, b], properties: {k1: v1, k2: ''}"
    properties = [{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": ""}]
    wanted = {"Jar": "s3://b/x.jar", "MainClass": "a.B", "Args": ["a", "b"], "Properties": properties}
    assert [jar(job(world, step)) for world in (NEW, OLD)] == [wanted, wanted]


def test_s3_dist_cp_is_the_release_guides(job):
    step = "type: s3_dist_cp, src: s3://a, dest: hdfs:///b, src_pattern: '.*[a-z,]+', target_size: 128, delete_on_success: true, number_files: false"
    args = ["--src=s3://a", "--dest=hdfs:///b", "--srcPattern=.*[a-z,]+", "--targetSize=128", "--deleteOnSuccess"]
    assert jar(job(NEW, step)) == {"Jar": "command-runner.jar", "Args": ["s3-dist-cp", *args]}
    assert jar(job(OLD, step)) == {"Jar": "/home/hadoop/lib/emr-s3distcp-1.0.jar", "Args": args}


@pytest.mark.parametrize("world", [NEW, OLD])
def test_a_script_is_run_by_its_regions_script_runner(job, world):
    assert jar(job(world, "type: script, script: s3://b/x.sh, args: [a, 1]")) == {
        "Jar": RUNNER,
        "Args": ["s3://b/x.sh", "a", "1"],
    }


def test_without_a_region_it_is_that_of_the_service_bucket_that_always_was(job):
    assert jar(job("ami_version: 3.11.0\n", "type: command, args: [ls]"))["Jar"].startswith(
        "s3://us-east-1.elasticmapreduce/"
    )


def test_a_hadoop_version_alone_means_an_ami(job):
    step = "type: streaming, mapper: cat, input: a, output: b"
    assert jar(job("hadoop_version: 1.0.3\n", step))["Jar"].endswith("/hadoop-streaming.jar")
    assert jar(job("release_label: emr-4.3.0\n", step))["Jar"] == "command-runner.jar"


def test_every_streaming_option_has_a_word(job):
    step = (
        "type: streaming, mapper: cat, reducer: none, input: a, output: b, input_reader: 'X,begin=<p>', map_debug: d, reduce_debug: e, "
        "io: typedbytes, cache_files: ['s3://f#f'], cache_archives: ['s3://g#g'], lazy_output: true, verbose: true, debug: true, "
        "background: true, cmdenv: {A: 1}, num_reduce_tasks: 0, partitioner: p, input_format: i, output_format: o, combiner: c, "
        "properties: {x: 1}, generic_args: [-conf, s3://c], libjars: [s3://j], archives: ['s3://v#v'], args: [-jobconf, a=b]"
    )
    assert jar(job(NEW, step))["Args"] == [
        "hadoop-streaming", "-D", "x=1", "-conf", "s3://c", "-libjars", "s3://j", "-archives", "s3://v#v",
        "-mapper", "cat", "-reducer", "NONE", "-input", "a", "-output", "b", "-inputreader", "X,begin=<p>", "-mapdebug", "d", "-reducedebug", "e",
        "-io", "typedbytes", "-cacheFile", "s3://f#f", "-cacheArchive", "s3://g#g", "-lazyOutput", "-verbose", "-debug", "-background",
        "-cmdenv", "A=1", "-numReduceTasks", "0", "-partitioner", "p", "-inputformat", "i", "-outputformat", "o", "-combiner", "c", "-jobconf", "a=b",
    ]  # fmt: skip


def test_local_files_are_staged_wherever_a_step_names_one(job):
    names = ["etl.py", "lib.zip", "q.hql", "x.sh", "x.jar", "venv.jar"]
    request = job(
        NEW, "type: spark, application: etl.py, py_files: [lib.zip, s3://b/c.py], files: ['q.hql#query']", names
    )
    uris = {asset.name: asset.uri for asset in request.assets}
    args = jar(request)["Args"]
    assert args == [
        "spark-submit",
        "--py-files",
        f"{uris['lib.zip']},s3://b/c.py",
        "--files",
        f"{uris['q.hql']}#query",
        uris["etl.py"],
    ]
    assert jar(job(NEW, "type: hive, script: q.hql"))["Args"][-1] == uris["q.hql"]
    assert jar(job(NEW, "type: script, script: x.sh"))["Args"][0].endswith("/x.sh")
    request = job(NEW, "type: streaming, jar: x.jar, mapper: cat, input: a, output: b, cache_archives: ['venv.jar#v']")
    assert jar(request)["Jar"].startswith("s3://acme/staging/")
    assert jar(request)["Args"][-1].startswith("s3://acme/staging/")
    assert jar(request)["Args"][-1].endswith("/venv.jar#v")


@pytest.mark.parametrize(
    "step",
    [
        "type: spark, application: etl.py, py_files: [lib.zip], files: [a]",
        "type: hive, script: q.hql",
        "type: pig, script: q.pig",
        "type: script, script: x.sh",
        "type: jar, jar: x.jar",
        "type: streaming, jar: x.jar, mapper: m.py, reducer: s3://b/r.py, input: a, output: b, files: [f], cache_files: [g]",
    ],
)
def test_stage_false_takes_every_path_as_it_is(job, step):
    request = job(NEW, f"{step}, stage: false")
    assert request.assets == ()
    given = json.dumps(jar(request))
    for word in ("etl.py", "lib.zip", "q.hql", "q.pig", "x.sh", "x.jar", "m.py", "s3://b/r.py"):
        assert (f'"{word}"' in given) == (word in step)
    if not step.startswith("type: streaming"):
        with pytest.raises(SpecError, match="there is no file"):
            job(NEW, step)


def test_a_bootstrap_action_may_be_taken_as_it_is(job):
    more = NEW + "bootstrap_actions: [{name: b, path: boot.sh, stage: false}]\n"
    request = job(more, "type: command, args: [ls]")
    assert request.params["BootstrapActions"] == [{"Name": "b", "ScriptBootstrapAction": {"Path": "boot.sh"}}]


def test_a_command_may_be_what_the_step_ships_by_name(job):
    step = "type: streaming, files: [s3://b/m.py, 's3://b/x.py#r.py'], archives: ['s3://b/v.tgz#venv'], input: a, output: b, mapper: m.py -x, reducer: ./r.py, combiner: venv/bin/python m.py"
    args = jar(job(NEW, step))["Args"]
    assert args[args.index("-mapper") + 1] == "m.py -x"
    assert args[args.index("-reducer") + 1] == "./r.py"
    assert args[args.index("-combiner") + 1] == "venv/bin/python m.py"


def test_streaming_jars_before_release_4_fetch_scripts_by_themselves(job):
    step = "type: streaming, mapper: s3://b/m.py, reducer: aggregate, input: a, output: b"
    assert jar(job(OLD, step))["Args"][:2] == ["-mapper", "s3://b/m.py"]
    assert jar(job(NEW, step))["Args"][1:5] == ["-files", "s3://b/m.py", "-mapper", "m.py"]


def test_the_files_of_commands_stand_behind_the_properties_and_before_all_else(job):
    step = "archives: ['s3://b/a.zip'], mapper: s3://b/m.py, reducer: none, input: a, output: b"
    shipped = ["-files", "s3://b/m.py", "-archives", "s3://b/a.zip"]
    assert jar(job(NEW, f"type: streaming, {step}"))["Args"][1:5] == shipped
    assert jar(job(NEW, f"type: streaming, properties: {{p: 1}}, {step}"))["Args"][1:7] == ["-D", "p=1", *shipped]


def test_options_stand_in_the_order_of_the_step(job):
    one = jar(
        job(NEW, "type: spark, master: yarn, deploy_mode: cluster, application: s3://b/x.py, conf: {b: 1, a: 2}")
    )["Args"]
    other = jar(
        job(NEW, "type: spark, conf: {b: 1, a: 2}, deploy_mode: cluster, application: s3://b/x.py, master: yarn")
    )["Args"]
    assert one == [
        "spark-submit",
        "--master",
        "yarn",
        "--deploy-mode",
        "cluster",
        "--conf",
        "b=1",
        "--conf",
        "a=2",
        "s3://b/x.py",
    ]
    assert other == [
        "spark-submit",
        "--conf",
        "b=1",
        "--conf",
        "a=2",
        "--deploy-mode",
        "cluster",
        "--master",
        "yarn",
        "s3://b/x.py",
    ]


def test_properties_of_configurations_in_awss_form_may_have_dots(job):
    more = (
        NEW
        + "configurations: [{Classification: spark-defaults, Properties: {spark.sql: x, spark.sql.adaptive: true}}]\n"
    )
    properties = {"spark.sql": "x", "spark.sql.adaptive": "true"}
    request = job(more, "type: command, args: [ls]")
    assert request.params["Configurations"] == [{"Classification": "spark-defaults", "Properties": properties}]
