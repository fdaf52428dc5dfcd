"""Remarks of a plan about this machine: versions and configurations that differ from EMR's."""

import pytest

from flowspec.backend.protocol import backend_of
from flowspec.engines import jvm


def remarks(params):
    return backend_of("local").assess(params).remarks


@pytest.fixture
def spark(tmp_path, monkeypatch):
    (tmp_path / "jars").mkdir()
    for name in ("spark-core_2.13-4.0.1", "spark-core-extra_2.13-9.9.9", "hadoop-client-api-3.4.1"):
        (tmp_path / "jars" / f"{name}.jar").touch()
    monkeypatch.setattr("flowspec.engines.jvm.find_java", lambda: "java")
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    return jvm.find_spark()


def request(*args, label="emr-7.5.0", **members):
    jar = {"Jar": "command-runner.jar", "Args": list(args)}
    return {"Name": "x", "ReleaseLabel": label, "Steps": [{"Name": "s", "HadoopJarStep": jar}], **members}


def test_versions_are_read_off_the_jars(spark):
    assert spark.version("spark-core") == "4.0.1"
    assert spark.version("hadoop-client-api") == "3.4.1"
    assert spark.version("scala-library") == ""


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (request("spark-submit", "x.py"), ("emr-7.5.0 has Spark 3.5.2; this machine has 4.0.1",)),
        (request("spark-submit", "x.py", label="emr-5.34.0"), ()),
        (request("spark-submit", "x.py", label="emr-99.0.0"), ()),
        (request("hadoop", "fs", "-ls", label="emr-6.15.0"), ("emr-6.15.0 has Hadoop 3.3.6; this machine has 3.4.1",)),
        (request("bash"), ()),
        ({"Name": "x"}, ()),
    ],
)
def test_a_version_is_remarked_where_it_is_known_and_counts(spark, params, said):
    assert remarks(params) == said


def test_the_version_of_a_hadoop_on_path_is_not_guessed(spark, tmp_path, monkeypatch):
    (tmp_path / "hadoop").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert remarks(request("hadoop", "fs", "-ls", label="emr-6.15.0")) == ()


def test_configurations_that_do_not_count_are_named():
    given = [{"Classification": name} for name in ("yarn-site", "spark-defaults", "hive-site", "yarn-site")]
    said = remarks(request("spark-submit", "x.py", label="emr-5.34.0", Configurations=given))
    assert said == ("configurations without effect on this machine: yarn-site, hive-site",)
    said = remarks(request("bash", Configurations=given))
    assert said == ("configurations without effect on this machine: yarn-site, spark-defaults, hive-site",)


def test_steps_that_no_engine_runs_are_unsupported():
    hive = request("hive-script", "--run-hive-script")["Steps"][0]
    params = request("bash")
    params["Steps"].append(hive)
    assessment = backend_of("local").assess(params)
    assert list(assessment.unsupported) == [1]
    assert "Hive" in assessment.unsupported[1]
    assert "--run-bootstrap" in assessment.bootstrap_note


def test_aws_runs_all_as_asked_for():
    assessment = backend_of("emr").assess(request("hive-script"))
    assert (assessment.unsupported, assessment.remarks, assessment.bootstrap_note) == ({}, (), "")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("emr-7.5.0", ()),
        ("emr-6.15.0", ("emr-6.15.0 has Python 3.7; the Python packages are packed for this machine's 3.9",)),
        ("emr-8.0.0", ("the Python of emr-8.0.0 is not known; the Python packages are packed for this machine's 3.9",)),
    ],
)
def test_the_python_that_packages_are_for(label, said):
    archive = f"s3://b/{'0' * 64}/python3.9-x86_64.zip#python_env"
    assert remarks(request("hadoop-streaming", "-archives", archive, label=label)) == said
    assert remarks(request("hadoop-streaming", "-archives", "s3://b/python3.8-x86_64.zip", label=label)) == ()
