"""Spark for real: one application shows what it sees of a cluster, and where its data lies."""

import json
import os
import signal
import tarfile

import pytest

from flowspec.engines import spark, unsupported
from flowspec.engines.jvm import find_java, find_spark
from flowspec.errors import FlowspecError
from tests.waiting import wait_until

from .steps import Step, needs_spark

APPLICATION = """\
import json, sys
import library
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("counts").getOrCreate()
context = spark.sparkContext
words = spark.read.text("s3://texts/").selectExpr("explode(split(value, ' ')) word")
counts = words.groupBy("word").count()
for _ in range(2):
    counts.write.mode("overwrite").partitionBy("count").csv("s3a://new-bucket/counts")
counts.write.parquet("relative")
counts.write.parquet("hdfs:///tmp/counts")
context.textFile("s3n://texts/*.txt").saveAsTextFile("hdfs://ip-10-0-0-1.ec2.internal:8020/rdd")
print(json.dumps({
    "master": context.master,
    "memory": context.getConf().get("spark.driver.memory"),
    "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
    "ours": spark.conf.get("spark.ours"),
    "argv": sys.argv[1:],
    "library": library.NAME,
    "shipped": context.parallelize([1]).map(lambda _: open("renamed.txt").read()).collect(),
    "archive": open("tools/inner.txt").read(),
    "counts": sorted(map(list, spark.read.parquet("relative").collect())),
    "again": spark.read.csv("s3://new-bucket/counts").count(),
    "rdd": context.textFile("hdfs:///rdd").collect(),
    "plain": spark.read.text(sys.argv[1]).count(),
}))
spark.read.text("s3://texts/none")
"""


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    return Step.below(tmp_path_factory.mktemp("spark"))


@pytest.fixture(scope="module")
def run(step, tmp_path_factory):
    """The one run: with everything that EMR's users give, and an error at its end."""
    inner = tmp_path_factory.mktemp("archive") / "inner.txt"
    inner.write_text("from the archive")
    texts, code = step.s3 / "texts", step.s3 / "code"
    texts.mkdir()
    code.mkdir()
    (texts / "a.txt").write_text("hello world hello\n")
    (texts / "b.txt").write_text("hello\n")
    (code / "app.py").write_text(APPLICATION)
    (code / "library.py").write_text("NAME = 'a library'\n")
    (code / "shipped.txt").write_text("shipped")
    with tarfile.open(code / "tools.tar.gz", "w:gz") as tar:
        tar.add(inner, inner.name)
    words = ["--deploy-mode", "cluster", "--master", "yarn", "--num-executors", "4", "--executor-memory", "500t"]
    words += ["--conf", "spark.yarn.submit.waitAppCompletion=true", "--conf", "spark.ours=a b"]
    words += ["--py-files", "s3://code/library.py", "--files", "s3a://code/shipped.txt#renamed.txt"]
    words += ["--archives", "s3://code/tools.tar.gz#tools", "s3://code/app.py", f"{texts}/a.txt", "two words"]
    defaults = {"spark.sql.shuffle.partitions": "3", "spark.dynamicAllocation.enabled": "true"}
    configurations = [
        {"Classification": "spark-defaults", "Properties": defaults},
        {"Classification": "spark", "Properties": {"maximizeResourceAllocation": "true"}},
    ]
    return step.run("command-runner.jar", "spark-submit", *words, configurations=configurations)


@pytest.fixture
def told(run):
    return json.loads(run.stdout.splitlines()[0])


@needs_spark
def test_what_the_application_sees(step, told):
    assert told["master"] == "local[*]"
    assert int(told["memory"].removesuffix("m")) << 20 < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert told["partitions"] == "3"
    assert told["ours"] == "a b"
    assert told["argv"] == [f"{step.s3}/texts/a.txt", "two words"]
    assert (told["library"], told["shipped"], told["archive"]) == ("a library", ["shipped"], "from the archive")


@needs_spark
def test_data_is_read_and_written_on_every_file_system(step, told):
    assert told["counts"] == [["hello", 3], ["world", 1]]
    assert told["again"] == 2
    assert sorted(told["rdd"]) == ["hello", "hello world hello"]
    assert told["plain"] == 1
    counts = step.s3 / "new-bucket" / "counts"
    assert (counts / "_SUCCESS").exists()
    assert sorted(path.name for path in counts.iterdir() if path.is_dir()) == ["count=1", "count=3"]
    assert len(list((counts / "count=3").iterdir())) == 1, "overwritten, and no checksums beside it"
    assert (step.hdfs / "user/hadoop/relative/_SUCCESS").exists()
    assert (step.hdfs / "tmp/counts/_SUCCESS").exists()
    assert (step.hdfs / "rdd/part-00000").exists()


@needs_spark
def test_an_error_of_the_application_is_its_last_word(run):
    assert run.returncode == 1
    # Spark leads the stderr of a Python application to stdout, on EMR as well (PythonRunner).
    last = run.stdout.splitlines()[-1]
    assert "Path does not exist: s3://texts/none" in last


@needs_spark
def test_a_python_application_writes_its_output_itself(tmp_path):
    # Spark's own thread for it may lose the last lines: nothing waits for it.
    step = Step.below(tmp_path)
    program = step.s3 / "app.py"
    program.write_text("import os\nprint([os.fstat(output).st_ino for output in (1, 2)])\n")
    with step.start("command-runner.jar", "spark-submit", str(program)) as process:
        ours = os.fstat(process.stdout.fileno()).st_ino
        assert json.loads(process.stdout.read()) == [ours, ours]


@needs_spark
def test_what_does_not_count_here_is_said_once(run):
    (said,) = [line for line in run.stderr.splitlines() if "without effect" in line]
    assert said.startswith("flowspec: without effect on this machine: ")
    for one in ("--deploy-mode cluster", "--master yarn", "--num-executors 4", "spark.dynamicAllocation.enabled=true"):
        assert one in said


@needs_spark
def test_the_event_log_and_sparks_own_log_are_kept(step, run):
    assert list((step.logs / "spark-events").rglob("*local-*"))
    assert "INFO org.apache.spark.SparkContext" in (step.logs / "syslog").read_text()


@needs_spark
def test_sigterm_ends_it_all(tmp_path):
    step = Step.below(tmp_path)
    (step.s3 / "code").mkdir()
    (step.s3 / "code" / "app.py").write_text("print('up', flush=True)\nimport time\ntime.sleep(600)\n")
    with step.start("command-runner.jar", "spark-submit", "s3://code/app.py") as process:
        assert process.stdout.readline() == "up\n"
        # Not its group: so it is when the worker was killed, and the kernel tells its children.
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        wait_until(lambda: not group_lives(process.pid), lambda: "something of it goes on")


def group_lives(leader):
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


@needs_spark
def test_sql_from_a_file_on_s3(tmp_path):
    step = Step.below(tmp_path)
    (step.s3 / "code").mkdir()
    (step.s3 / "code" / "q.sql").write_text("SELECT 40 + 2 AS answer;\n")
    done = step.run("command-runner.jar", "spark-sql", "--master", "yarn", "-f", "s3://code/q.sql")
    assert (done.returncode, done.stdout.strip()) == (0, "42"), done.stderr


def test_an_application_that_is_not_there(tmp_path):
    step = Step.below(tmp_path)
    if find_spark() is None:
        pytest.skip("needs Spark")
    done = step.run("command-runner.jar", "spark-submit", "s3://b/app.py")
    assert done.returncode == 1
    assert f"s3://b/app.py: there is no such file ({step.s3}/b/app.py)" in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "spark-submit was given no application"),
        (["--master", "yarn"], "spark-submit was given no application"),
        (["--conf"], "spark-submit: --conf has no value"),
        (["--conf", "x", "a.py"], "spark-submit: --conf x is not KEY=VALUE"),
        (["--kill", "driver-1"], "--kill needs a cluster manager"),
    ],
)
def test_a_command_line_that_can_not_run(words, reason):
    with pytest.raises(FlowspecError) as caught:
        spark.parse("spark-submit", words)
    assert caught.value.message == reason
    assert caught.value.remedy


def test_options_end_at_the_application():
    found = spark.parse("spark-submit", ["--name=x", "-v", "--conf", "a=b=c", "app.py", "--conf", "y", "-z"])
    assert found.options == [("--name", "x"), ("-v", None)]
    assert found.properties == {"a": "b=c"}
    assert found.application == ("app.py", "--conf", "y", "-z")


def test_options_of_spark_may_stand_among_those_of_sql():
    """As in Spark (SparkSubmitCommandBuilder.OptionParser, allowsMixedArguments)."""
    words = ["-e", "-- all\nSELECT 1", "--master", "yarn", "--hiveconf", "a=b", "-S", "-c", "c=d", "--database=x"]
    found = spark.parse("spark-sql", words)
    assert (found.options, found.properties) == ([("--master", "yarn")], {"c": "d"})
    assert found.application == ("-e", "-- all\nSELECT 1", "--hiveconf", "a=b", "-S", "--database=x")


@pytest.mark.skipif(find_java() is None, reason="needs Java")
@pytest.mark.parametrize("submit", [None, "not executable"])
def test_a_spark_without_its_program_is_told_in_a_sentence(tmp_path, monkeypatch, submit):
    home = tmp_path / "spark"
    (home / "jars").mkdir(parents=True)
    if submit:
        (home / "bin").mkdir()
        (home / "bin" / "spark-submit").write_text(submit)
    monkeypatch.setenv("SPARK_HOME", str(home))
    done = Step.below(tmp_path).run("command-runner.jar", "spark-submit", __file__)
    assert done.returncode == 1
    assert f"'{home}/bin/spark-submit'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_spark_or_java_the_plan_says_what_to_install(monkeypatch, tmp_path):
    args = ["spark-submit", "x.py"]
    monkeypatch.setattr("flowspec.engines.jvm.find_java", lambda: None)
    monkeypatch.setattr("flowspec.engines.jvm.find_spark", lambda: tmp_path)
    said = unsupported("command-runner.jar", None, args)
    assert said.startswith("'spark-submit' needs Java, and there is none; install Java 17")
    monkeypatch.setattr("flowspec.engines.jvm.find_spark", lambda: None)
    said = unsupported("command-runner.jar", None, args)
    assert said == "'spark-submit' needs Spark, and none is installed; pip install pyspark"
