import pytest

from flowspec.engines.counters import format_counters, parse_counters, parse_progress

EMR_LOG = """\
2024-05-01 10:00:00,001 INFO org.apache.hadoop.mapreduce.Job (main): Running job: job_1_0001
2024-05-01 10:00:07,001 INFO org.apache.hadoop.mapreduce.Job (main):  map 0% reduce 0%
2024-05-01 10:00:17,001 INFO org.apache.hadoop.mapreduce.Job (main):  map 67% reduce 22%
2024-05-01 10:00:20,001 INFO org.apache.hadoop.mapreduce.Job (main): Job job_1_0001 completed successfully
2024-05-01 10:00:20,101 INFO org.apache.hadoop.mapreduce.Job (main): Counters: 4
\tFile System Counters
\t\tFILE: Number of bytes read=123
\tMap-Reduce Framework
\t\tMap input records=7
\t\tCPU time spent (ms)=40
\tG\x20
\t\t a=b =-3
2024-05-01 10:00:20,102 INFO org.apache.hadoop.streaming.StreamJob (main): Output directory: s3://b/out
\tnot a group
"""


def test_counters_of_an_emr_log():
    assert parse_counters(EMR_LOG) == {
        "File System Counters": {"FILE: Number of bytes read": 123},
        "Map-Reduce Framework": {"Map input records": 7, "CPU time spent (ms)": 40},
        "G ": {" a=b ": -3},
    }


def test_the_last_job_of_a_log_counts():
    assert parse_counters(EMR_LOG + "x INFO Job: Counters: 1\r\n\tG\r\n\t\ta=1\r\n") == {"G": {"a": 1}}


def test_a_log_without_counters_has_none():
    assert parse_counters("nothing\n\tG\n\t\ta=1\n") == {}


def test_what_is_printed_is_read_again():
    counters = {"Map-Reduce Framework": {"Map input records": 7}, "": {"": 3, " x ": -1}}
    text = format_counters(list(counters.items()))
    assert text.startswith("Counters: 3\n\tMap-Reduce Framework\n\t\tMap input records=7\n")
    assert parse_counters(f"2024-01-01 00:00:00,000 INFO Job: {text}\n") == counters


def test_of_two_groups_with_one_heading_the_first_ones_values_are_read():
    groups = [
        ("Map-Reduce Framework", {"Map input records": 7}),
        ("Map-Reduce Framework", {"Map input records": 1, "x": 2}),
    ]
    assert parse_counters(format_counters(groups)) == {"Map-Reduce Framework": {"Map input records": 7, "x": 2}}


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("2024-05-01 10:00:17,001 INFO org.apache.hadoop.mapreduce.Job (main):  map 67% reduce 22%", (67, 22)),
        ("2026-11-22 17:00:00,123 INFO Job:  map 100% reduce 0%\n", (100, 0)),
        ("24/05/01 10:00:17 INFO mapreduce.Job:  map 5% reduce 0%", (5, 0)),
        (" map 5% reduce 0%", (5, 0)),
        ("2026-11-22 17:00:00,123 INFO Job: the map 5% reduce 0%", None),
        ("INFO Job: Counters: 3", None),
    ],
)
def test_progress_lines(line, progress):
    assert parse_progress(line) == progress
