"""The table of releases: its form, and samples of it against what AWS's Release Guide says."""

import json
import re
from pathlib import Path

import pytest

from flowspec.facts import releases
from flowspec.facts.releases import at_least, existence, parse

TABLE = json.loads(Path(releases.__file__).with_name("releases.json").read_text())


def test_the_table_is_dated_ordered_and_says_where_it_is_from():
    assert re.fullmatch(r"\d{4}-\d{2}", releases.date())
    assert len(TABLE["sources"]) == 2
    assert TABLE["releases"] == sorted(set(TABLE["releases"]), key=releases.numbers)
    assert all(re.fullmatch(r"emr-\d+\.\d+\.\d+", one) for one in TABLE["releases"])
    assert len(releases.labels()) == len(set(releases.labels()))


@pytest.mark.parametrize("name", TABLE["applications"])
def test_each_change_of_an_application_is_at_a_release(name):
    changes = TABLE["applications"][name]
    assert list(changes) == sorted(changes, key=releases.numbers)
    assert {f"emr-{one}" for one in changes} <= set(TABLE["releases"])
    assert all(version is None or re.fullmatch(r"\?|[\w.-]*", version) for version in changes.values())
    assert releases.first_with(name) in TABLE["releases"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("emr-4.0.0", {"Hadoop": "2.6.0", "Hive": "1.0.0", "Mahout": "0.10.0", "Pig": "0.14.0", "Spark": "1.4.1"}),
        ("emr-4.9.6", {"HBase": "1.2.2", "Presto-Sandbox": "0.157.1", "Tez": "0.8.4", "Zeppelin-Sandbox": "0.6.1"}),
        ("emr-5.5.0", {"Flink": "1.2.0", "HBase": "1.3.0", "Hue": "3.12.0", "Phoenix": "4.9.0", "Presto": "0.170"}),
        ("emr-5.13.0", {"Livy": "0.4.0", "MXNet": "1.0.0", "Oozie": "4.3.0", "Spark": "2.3.0", "Sqoop": "1.4.6"}),
        ("emr-5.33.1", {"Hadoop": "2.10.1", "Hudi": "0.7.0", "TensorFlow": "2.4.1", "ZooKeeper": "3.4.14"}),
        ("emr-6.5.0", {"Iceberg": "0.12.0", "Spark": "3.1.2", "Trino": "360", "Zeppelin": "0.10.0"}),
        ("emr-6.11.1", {"Delta": "2.2.0", "Flink": "1.16.0", "Hue": "4.11.0", "JupyterHub": "1.4.1"}),
        ("emr-7.5.0", {"Spark": "3.5.2"}),
        ("emr-7.10.0", {"Flink": "1.20.0", "HBase": "2.6.2", "Presto": "0.287", "Spark": "3.5.5"}),
    ],
)
def test_what_a_release_has(label, expected):
    found = releases.applications(label)
    assert expected.items() <= found.items()


def test_what_is_not_known_is_not_said():
    assert releases.applications("emr-7.14.0") is None
    assert releases.applications("emr-spark-8.0.0") is None
    assert releases.applications("emr-99.0.0") is None
    assert releases.applications("emr-6.7.0")["Hive"] == ""
    assert releases.applications("emr-7.5.0")["Sqoop"] == releases.UNKNOWN
    assert "Ganglia" not in releases.applications("emr-7.0.0")


@pytest.mark.parametrize(
    ("label", "version"),
    [
        ("emr-7.5.0", (7, 5, 0)),
        ("emr-6.0.0-beta2", (6, 0, 0)),
        ("emr-spark-8.0.0", (8, 0, 0)),
        ("emr-7.5", None),
        ("7.5.0", None),
        ("emr-7.5.0.1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_label_is_parsed_in_one_way(label, version):
    assert parse(label) == version
    assert at_least(label, 6) == (version is not None and version >= (6,))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("emr-7.5.0", "known"),
        ("emr-6.0.0-beta2", "known"),
        ("emr-7.5.1", "possible"),
        ("emr-7.99.0", "possible"),
        ("emr-9.0.0", "possible"),
        ("emr-spark-9.0.0", "possible"),
        ("emr-5.9.2", "possible"),
        ("emr-4.6.9", "possible"),
        ("emr-4.7.3", "none"),
        ("emr-3.11.0", "none"),
        ("emr-7.5", "none"),
        ("latest", "none"),
    ],
)
def test_which_labels_can_exist(label, expected):
    assert existence(label) == expected
