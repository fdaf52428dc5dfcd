"""The examples of Spark that tutorials of EMR begin with, as they are written there."""

from __future__ import annotations

import re

import pytest

from flowspec.engines import jvm, unsupported
from flowspec.engines.spark_examples import JAR, PACKAGE, locate
from flowspec.errors import FlowspecError

from .steps import Step, needs_spark
from .test_hadoop import compiled, disassembled, needs_javac

OURS = jvm.CLASSES / "flowspec" / "examples"


@pytest.fixture
def step(tmp_path):
    return Step.below(tmp_path)


def pi_of(done):
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"Pi is roughly (3\.1\d+)\n", done.stdout)
    assert found, done.stdout
    return float(found[1])


@needs_spark
@pytest.mark.parametrize(
    "words",
    [
        ("spark-example", "SparkPi", "10"),
        ("spark-submit", "--deploy-mode", "cluster", "--class", f"{PACKAGE}JavaSparkPi", f"local://{JAR}", "10"),
    ],
    ids=["spark-example", "spark-submit"],
)
def test_pi_of_the_tutorials(step, words):
    done = step.run("command-runner.jar", *words)
    # A million points: the standard deviation is 0.0016.
    assert abs(pi_of(done) - 3.1416) < 0.02
    assert "flowspec: pyspark has no spark-examples.jar: flowspec.examples." in done.stderr
    assert f"in place of {PACKAGE}" in done.stderr


@needs_spark
def test_pi_in_python_is_the_one_of_pyspark(step):
    done = step.run("command-runner.jar", "spark-submit", "/usr/lib/spark/examples/src/main/python/pi.py", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Pi is roughly 3.1")
    assert "in place of" not in done.stderr


@needs_spark
def test_words_are_counted(step):
    (step.s3 / "texts").mkdir()
    (step.s3 / "texts" / "a.txt").write_text("hello world hello\n")
    words = ("spark-submit", "--class", f"{PACKAGE}JavaWordCount", JAR, "s3://texts/a.txt")
    done = step.run("command-runner.jar", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["hello: 2", "world: 1"]


@needs_spark
def test_an_example_that_cannot_run_is_refused_with_what_to_install():
    said = unsupported("command-runner.jar", None, ["spark-example", "mllib.LinearRegression"])
    version = jvm.find_spark().version("spark-core")
    assert f"{PACKAGE}mllib.LinearRegression needs Spark's examples jar" in said
    assert f"unpack Spark {version} (https://spark.apache.org/downloads.html) and set SPARK_HOME to its folder" in said
    assert "without it there are JavaSparkPi, JavaWordCount, SparkPi" in said
    assert "no example" in unsupported("command-runner.jar", None, ["spark-example"])
    assert unsupported("command-runner.jar", None, ["spark-example", "--verbose", "SparkPi", "10"]) is None


def test_the_jar_of_a_whole_spark_is_used(tmp_path):
    jar = tmp_path / "examples" / "jars" / "spark-examples_2.13-4.0.0.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    spark = jvm.Spark(tmp_path)
    for application in (JAR, f"file://{JAR}", f"local:{JAR}", "/usr/lib/spark/lib/spark-examples.jar"):
        assert locate(application, f"{PACKAGE}SparkPi", spark) == (str(jar), f"{PACKAGE}SparkPi")


@pytest.mark.parametrize("application", ["s3://mine/spark-examples.jar", "app.py", "/usr/lib/spark/none.py"])
def test_other_applications_stay_as_they_are(tmp_path, application):
    assert locate(application, "Main", jvm.Spark(tmp_path)) == (application, "Main")


def test_a_jar_without_a_class_is_refused(tmp_path):
    (tmp_path / "jars").mkdir()
    with pytest.raises(FlowspecError, match="this step needs Spark's examples jar"):
        locate(JAR, "", jvm.Spark(tmp_path))


@needs_spark
@needs_javac
def test_the_classes_beside_their_sources_are_what_the_sources_say(tmp_path):
    compiled(tmp_path, *OURS.glob("*.java"), "--release", "8", "-g:none", "-sourcepath", jvm.CLASSES)
    made, names = tmp_path / "flowspec" / "examples", sorted(path.name for path in OURS.glob("*.class"))
    assert sorted(path.name for path in made.iterdir()) == names
    kept, again = (disassembled(*(folder / name for name in names)) for folder in (OURS, made))
    assert kept == again, "compile them again, as SparkPi.java says"
