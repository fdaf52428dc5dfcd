"""Small jobs with what real Hadoop 3.4.1 wrote for them, and what must hold whatever the machine."""

import bz2
import gzip
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import pytest

from flowspec.engines.counters import parse_counters
from flowspec.engines.streaming.hadoop.partition import hash_partitioner
from tests.engines.streaming.golden import run

LIB = "org.apache.hadoop.mapred.lib"
COMPARATOR = "org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator"
SHOW = 'while IFS= read -r line; do printf "[%s]\\n" "$line"; done\n'


@dataclass(frozen=True)
class Recorded:
    """A job: its input files, its arguments (`{IN}` is the input directory), and what it wrote."""

    files: dict[str, bytes]
    args: str
    parts: list[bytes]
    scripts: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)


JOBS = {
    "a line without a tab gets one": Recorded(
        {"a.txt": b"b\tx\na\n\n"},
        "-mapper cat -reducer NONE",
        [b"b\tx\na\t\n\t\n"],
        counters={"Map input records": 3, "Map output records": 3},
    ),
    "part numbers follow the size of the splits": Recorded(
        {"a": b"a small\n", "b": b"b largest largest\n", "c": b"c tiny\n", "d": b"d middle mid\n"},
        "-D mapreduce.job.reduces=0 -mapper cat",
        [b"b largest largest\t\n", b"d middle mid\t\n", b"a small\t\n", b"c tiny\t\n"],
    ),
    "a line that begins on a border belongs to the split before it": Recorded(
        {"a.txt": b"".join(b"line-%09d.\n" % number for number in range(8))},
        "-D fs.local.block.size=32 -mapper cat -reducer NONE",
        [
            b"line-000000000.\t\nline-000000001.\t\nline-000000002.\t\n",
            b"line-000000003.\t\nline-000000004.\t\n",
            b"line-000000005.\t\nline-000000006.\t\n",
            b"line-000000007.\t\n",
        ],
    ),
    "every kind of line end ends what a mapper writes": Recorded(
        {"a.txt": b"x\n"},
        "-files {IN}/../m.sh,{IN}/../show.sh -mapper m.sh -reducer show.sh",
        [b"[a\t2]\n[b\t1]\n[c\t3]\n[d\t4 no newline]\n"],
        scripts={"m.sh": "cat >/dev/null; printf 'b\\t1\\r\\na\\t2\\rc\\t3\\nd\\t4 no newline'\n", "show.sh": SHOW},
        counters={"Map output records": 4, "Map output bytes": 27, "Reduce input groups": 4},
    ),
    "keys are ordered by their bytes, a prefix first": Recorded(
        {"a.txt": b"9\tx\n\tx\na\x01\tx\nab\tx\na \tx\na\xff\tx\n\x01\tx\na\tx\n\xc3\xa9\tx\na!\tx\nAb\tx\n"},
        "-mapper cat -reducer cat",
        [b"\tx\n\x01\tx\n9\tx\nAb\tx\na\tx\na\x01\tx\na \tx\na!\tx\nab\tx\na\xff\tx\n\xc3\xa9\tx\n"],
    ),
    "the default partitioner": Recorded(
        {"a.txt": b"one\t1\ntwo\t2\nthree\t3\nfour\t4\nfive\t5\nsix\t6\n"},
        "-D mapreduce.job.reduces=3 -mapper cat -reducer cat",
        [b"three\t3\n", b"five\t5\nfour\t4\n", b"one\t1\nsix\t6\ntwo\t2\n"],
    ),
    "the combiner runs once for each partition": Recorded(
        {"a.txt": b"one\t1\ntwo\t2\nthree\t3\nfour\t4\nfive\t5\nsix\t6\n"},
        "-D mapreduce.job.reduces=3 -files {IN}/../mark.sh -mapper cat -combiner mark.sh -reducer cat",
        [b"!c\t\nthree\t3\n", b"!c\t\nfive\t5\nfour\t4\n", b"!c\t\none\t1\nsix\t6\ntwo\t2\n"],
        scripts={"mark.sh": "echo '!c'; cat\n"},
        counters={"Combine input records": 6, "Combine output records": 9, "Reduce input records": 9},
    ),
    "two key fields, with a TAB in place of the second separator": Recorded(
        {"a.txt": b"11.12.1.2\n11.14.2.3\n11.11.4.1\n12.1\n13\n11.13.\n"},
        "-D stream.map.output.field.separator=. -D stream.num.map.output.key.fields=2 -mapper cat -reducer cat",
        [b"11.11\t4.1\n11.12\t1.2\n11.13\t\n11.14\t2.3\n12.1\t\n13\t\n"],
        counters={"Map output bytes": 47},
    ),
    "a secondary sort": Recorded(
        {"s.txt": b"oslo,3,a\nrome,10,b\noslo,20,c\nbern,-1,d\nrome,9,e\nbern,5,f\nlima,1,j\n"},
        "-D stream.map.output.field.separator=, -D stream.num.map.output.key.fields=2"
        f" -D mapreduce.map.output.key.field.separator=, -D mapreduce.job.output.key.comparator.class={COMPARATOR}"
        " -D mapreduce.partition.keycomparator.options=-k1,1_-k2,2nr"
        " -D mapreduce.partition.keypartitioner.options=-k1,1 -D mapreduce.job.reduces=2"
        f" -partitioner {LIB}.KeyFieldBasedPartitioner -mapper cat -reducer cat",
        [b"", b"bern,5\tf\nbern,-1\td\nlima,1\tj\noslo,20\tc\noslo,3\ta\nrome,10\tb\nrome,9\te\n"],
    ),
    "a partitioner over character positions": Recorded(
        {"w.txt": "abcd\t0\nxbc\t3\nab\t4\na\t5\n\t6\nhello\t7\ncell\t11\néclair\t12\n日本語\t13\n".encode()},
        "-D mapreduce.partition.keypartitioner.options=-k1.2,1.3 -D mapreduce.job.reduces=5"
        f" -partitioner {LIB}.KeyFieldBasedPartitioner -mapper cat -reducer cat",
        [
            "\t6\na\t5\néclair\t12\n".encode(),
            b"",
            "abcd\t0\nxbc\t3\n日本語\t13\n".encode(),
            b"ab\t4\n",
            b"cell\t11\nhello\t7\n",
        ],
    ),
    "splits of two lines, with offsets": Recorded(
        {"a.txt": b"alpha\nbeta and more\ngamma\ndelta\nepsilon is the last one\n"},
        f"-D mapreduce.input.lineinputformat.linespermap=2 -inputformat {LIB}.NLineInputFormat"
        " -mapper cat -reducer NONE",
        [b"32\tepsilon is the last one\n", b"0\talpha\n6\tbeta and more\n", b"20\tgamma\n26\tdelta\n"],
    ),
    "small files together, with their offsets": Recorded(
        {"a": b"a1\na2\n", "b": b"", "c": "\ufeffc no newline".encode(), "d.gz": gzip.compress(b"zip\nzap\n", mtime=0)},
        f"-inputformat {LIB}.CombineTextInputFormat -mapper cat -reducer NONE",
        [b"0\ta1\n3\ta2\n0\tc no newline\n0\tzip\n4\tzap\n"],
        counters={"Map input records": 5, "Map output records": 5},
    ),
    "the first of the files that a task reads is in its mapper's environment": Recorded(
        {"a": b"1\n2\n3\n", "b": b"4\n", "c": b"5\n6\n7\n8\n9\n"},
        "-D mapreduce.input.fileinputformat.split.maxsize=8 -D stream.map.input.ignoreKey=true"
        f" -files {{IN}}/../m.sh -inputformat {LIB}.CombineTextInputFormat -mapper m.sh -reducer NONE",
        [b"c:0+5\t\n5\t\n6\t\n7\t\n8\t\n9\t\n", b"a:0+6\t\n1\t\n2\t\n3\t\n4\t\n"],
        scripts={
            "m.sh": 'echo "${mapreduce_map_input_file##*/}:$mapreduce_map_input_start+$mapreduce_map_input_length"\ncat\n'
        },
        counters={"Map input records": 9},
    ),
    "offsets are ordered as numbers": Recorded(
        {"a.txt": b"first line\nsecond\tline\n\nfourth\n" + b"x" * 90 + b"\nlast"},
        f"-mapper {LIB}.IdentityMapper -reducer {LIB}.IdentityReducer",
        [b"0\tfirst line\n11\tsecond\tline\n23\t\n24\tfourth\n31\t" + b"x" * 90 + b"\n122\tlast\n"],
        counters={"Map output bytes": 175},
    ),
    "keys alone": Recorded(
        {"a.txt": b"b\t2\na\nc\t1\t1\n\n"},
        "-io keyonlytext -mapper cat -reducer cat",
        [b"0\n12\n4\n6\n"],
        counters={"Map output bytes": 9},
    ),
    "sums without a reducer script": Recorded(
        {
            "a.txt": b"LongValueSum:b\t5\nlongvaluesum:b\t-7\nDoubleValueSum:d\t1e10\nUniqValueCount:u\tx\nLongValueSum:b\t5\n"
        },
        "-mapper cat -reducer aggregate",
        [b"d\t1.0E10\nb\t10\nu\t1\nb\t-7\n"],
        counters={"Combine input records": 5, "Combine output records": 4},
    ),
    "what a reducer writes that got nothing is lost": Recorded(
        {"a.txt": b"x\n"},
        "-mapper true -reducer wc",
        [b""],
        counters={"Map input records": 1, "Map output records": 0, "Reduce output records": 0},
    ),
    "a file of a byte order mark alone has no line": Recorded(
        {"a": b"\xef\xbb\xbf"},
        "-mapper cat -reducer NONE",
        [b""],
        counters={"Map input records": 0},
    ),
    "a reducer of no words is none": Recorded(
        {"a.txt": b"b\t1\na\n"},
        "-mapper cat -reducer",
        [b"a\t\nb\t1\n"],
        counters={"Reduce output records": 2},
    ),
    "what is too long is given up where its split ends, and what follows is a line": Recorded(
        {"a.txt": b"0123456789abc\nxyz\n"},
        "-D fs.local.block.size=9 -D mapreduce.input.linerecordreader.line.maxlength=6 -mapper cat -reducer NONE",
        [b"9abc\t\n", b"xyz\t\n"],
        counters={"Map input records": 2},
    ),
    "what is no stream in a bz2 file is passed over": Recorded(
        {"a.bz2": b"x" + bz2.compress(b"one\n")[2:] + b"garbage" + bz2.compress(b"two\n") + b"BZh", "b.bz2": b"text\n"},
        "-mapper cat -reducer NONE",
        [b"one\t\ntwo\t\n", b""],
    ),
    "what a reducer counts that got nothing is lost (PipeMapRed.waitOutputThreads, Reporter.NULL)": Recorded(
        {"a.txt": b"x\n"},
        "-files {IN}/../r.sh -mapper true -reducer r.sh",
        [b""],
        scripts={
            "r.sh": "cat; echo reporter:counter:org.apache.hadoop.mapreduce.TaskCounter,REDUCE_OUTPUT_RECORDS,5 >&2\n"
        },
        counters={"Reduce output records": 0},
    ),
    "counters with the names of the framework's are the framework's (FrameworkCounterGroup)": Recorded(
        {"a.txt": b"x\n"},
        "-files {IN}/../m.sh -mapper m.sh -reducer NONE",
        [b"x\t\n"],
        scripts={
            "m.sh": "cat; for group in mapreduce.TaskCounter 'mapred.Task$Counter'; do\n"
            'echo "reporter:counter:org.apache.hadoop.$group,MAP_INPUT_RECORDS,5" >&2; done\n'
        },
        counters={"Map input records": 11},
    ),
    "a combiner is told of the map's split (Task.OldCombinerRunner has the job of its task)": Recorded(
        {"a.txt": b"x\n"},
        "-files {IN}/../c.sh -mapper cat -combiner c.sh -reducer cat",
        [b"0 2 true\t\n"],
        scripts={"c.sh": "cat >/dev/null; echo $mapreduce_map_input_start $map_input_length $mapreduce_task_ismap\n"},
    ),
    "the environment that StreamJob adds (preProcessArgs)": Recorded(
        {"a.txt": b"x\n"},
        "-D stream.addenvironment=Q=1 -files {IN}/../m.sh -mapper m.sh -cmdenv A=b -reducer NONE",
        [b"HADOOP_ROOT_LOGGER= A=b\t\nb\t\n"],
        scripts={"m.sh": "cat >/dev/null; printenv stream_addenvironment A\n"},
    ),
    "quotes around a value go, others stay (commons-cli's Util)": Recorded(
        {"a.txt": b"x\n"},
        """-files {IN}/../m.sh -mapper "m.sh" -cmdenv A="q" -cmdenv "B=q" -cmdenv "C="q -reducer NONE""",
        [b'"q"\t\nq\t\n"C\t\n'],
        scripts={
            "m.sh": "cat >/dev/null; printenv A B; printf '%s\\n' \"${stream_addenvironment##*B=q }\" | cut -c 1-2\n"
        },
    ),
    "a partitioner named by a property (JobConf.getPartitionerClass)": Recorded(
        {"a.txt": b"b\t1\nc\t2\na\t3\n"},
        f"-D mapred.partitioner.class={LIB}.KeyFieldBasedPartitioner -D mapreduce.job.reduces=3"
        " -mapper cat -reducer cat",
        [b"c\t2\n", b"a\t3\n", b"b\t1\n"],
    ),
    "a mapper and a combiner named by properties (JobConf.getMapperClass)": Recorded(
        {"a.txt": b"b\t1\nc\t2\na\t3\n"},
        f"-D mapred.mapper.class={LIB}.InverseMapper -D mapred.combiner.class={LIB}.IdentityReducer"
        " -inputformat KeyValueTextInputFormat -reducer cat",
        [b"1\tb\n2\tc\n3\ta\n"],
        counters={"Combine input records": 3},
    ),
    "a missing file of -conf is passed over (Configuration.loadResource)": Recorded(
        {"a.txt": b"x\n"},
        "-conf nowhere.xml -mapper cat",
        [b"x\t\n"],
    ),
    "numbers that no task reads may be none": Recorded(
        {"a.txt": b"x\n"},
        "-D stream.num.reduce.output.key.fields=x -D mapreduce.task.io.sort.mb=x -mapper cat -reducer NONE",
        [b"x\t\n"],
    ),
    "values of one mebibyte": Recorded(
        {"a.txt": b"k\t" + b"v" * (1 << 20) + b"\na\n"},
        "-mapper cat -reducer cat",
        [b"a\t\nk\t" + b"v" * (1 << 20) + b"\n"],
        counters={"Map output bytes": (1 << 20) + 9},
    ),
}


def run_job(tmp_path, job: Recorded, environment=None, output="out"):
    for folder in ("in", "cwd"):
        (tmp_path / folder).mkdir(exist_ok=True)
    for name, content in job.files.items():
        (tmp_path / "in" / name).write_bytes(content)
    for name, text in job.scripts.items():
        (tmp_path / name).write_text(text)
    args = [word.replace("{IN}", f"{tmp_path}/in").replace("_-k", " -k") for word in job.args.split()]
    args += [""] if args[-1] == "-reducer" else []
    return run([*args, "-input", f"{tmp_path}/in", "-output", f"{tmp_path}/{output}"], tmp_path / "cwd", environment)


def parts(folder):
    assert (folder / "_SUCCESS").read_bytes() == b""
    return [path.read_bytes() for path in sorted(folder.glob("part-*"))]


@pytest.mark.parametrize("name", JOBS)
def test_a_job(tmp_path, name):
    job = JOBS[name]
    ran = run_job(tmp_path, job)
    assert ran.returncode == 0, ran.stderr
    assert parts(tmp_path / "out") == job.parts
    counters = parse_counters(ran.stderr.decode())["Map-Reduce Framework"]
    assert job.counters.items() <= counters.items()


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ("-D stream.map.output.field.separator=\x01 -mapper cat", 1, "(code 0x1"),
        ("-numReduceTasks 1x -mapper cat", 1, 'Error in the job\'s options : For input string: "1x"'),
        ("-numReduceTasks 2147483648 -mapper cat", 1, 'For input string: "2147483648"'),  # Integer.parseInt
        ("-D mapreduce.job.reduces=99999999999 -mapper cat", 1, 'For input string: "99999999999"'),
        ("-D mapreduce.job.maps=x -mapper cat", 1, 'NumberFormatException: For input string: "x"'),
        ("-D fs.local.block.size=0x8000000000000000 -mapper cat", 1, "size: For input string"),
        ("-D mapreduce.job.counters.max=x -mapper cat", 1, 'NumberFormatException: For input string: "x"'),
        (
            f"-partitioner {LIB}.IdentityMapper -mapper cat",
            1,
            f"RuntimeException: class {LIB}.IdentityMapper not org.apache.hadoop.mapred.Partitioner",
        ),
        (
            "-D mapreduce.input.fileinputformat.split.maxsize=3 -D mapreduce.input.fileinputformat.split.minsize.per.node=4"
            f" -inputformat {LIB}.CombineTextInputFormat -mapper cat",
            5,
            "Error Launching job : Minimum split size pernode 4 cannot be larger than maximum split size 3",
        ),
        ("-- x -mapper cat", 1, "Found 1 unexpected arguments on the command line [x]"),
        (
            f"-D mapreduce.job.output.key.comparator.class={COMPARATOR} -D mapreduce.partition.keycomparator.options=-kx"
            " -mapper cat",
            1,
            'Caused by: java.lang.NumberFormatException: For input string: "x"',
        ),
        ("-mapper cat -cacheFile file:///nowhere#x", 2, "bad input path : File file:///nowhere#x does not exist"),
        (  # not reached by Hadoop's client, which waits without end
            "-D mapreduce.fileoutputcommitter.algorithm.version=x -mapper cat",
            5,
            'mapreduce.fileoutputcommitter.algorithm.version: For input string: "x"',
        ),
        (
            f"-D mapred.partitioner.class={LIB}.TotalOrderPartitioner -mapper cat",
            1,
            "TotalOrderPartitioner is not supp",
        ),
    ],
)
def test_a_job_that_fails(tmp_path, args, status, said):
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, []))
    assert ran.returncode == status
    assert said in ran.stderr.decode()


NUMBER = 'java.lang.NumberFormatException: For input string: "x"'
CONFIGURING = "java.lang.RuntimeException: Error in configuring object"
COLLECTOR = "java.io.IOException: Initialization of all the collectors failed. Error in last collector was:"


@pytest.mark.parametrize(
    ("args", "causes"),
    [  # what Hadoop 3.4.1 said, beginning with the class that reads the property
        ("-D mapreduce.input.linerecordreader.line.maxlength=x -mapper cat", [NUMBER]),  # LineRecordReader
        ("-D mapreduce.task.io.sort.mb=x -mapper cat", [COLLECTOR + NUMBER, NUMBER]),  # MapTask.MapOutputBuffer
        (
            "-D mapreduce.task.io.sort.mb=2048 -mapper cat",
            [f'{COLLECTOR}java.io.IOException: Invalid "mapreduce.task.io.sort.mb": 2048'],
        ),
        ("-D mapreduce.task.io.sort.mb=0 -mapper cat", [COLLECTOR + "java.lang.ArithmeticException: / by zero"]),
        (  # KeyFieldBasedPartitioner
            f"-D num.key.fields.for.partition=x -D mapreduce.job.reduces=3 -mapper cat"
            f" -partitioner {LIB}.KeyFieldBasedPartitioner",
            [NUMBER],
        ),
        ("-D stream.num.map.output.key.fields=x -mapper cat", [CONFIGURING, CONFIGURING, NUMBER]),  # PipeMapper
        ("-D stream.minRecWrittenToEnableSkip_=x -mapper cat", [CONFIGURING, CONFIGURING, NUMBER]),  # PipeMapRed
        ("-D stream.num.reduce.output.key.fields=x -mapper cat -reducer cat", [CONFIGURING, NUMBER]),  # PipeReducer
        ("-D stream.num.reduce.output.key.fields=x -mapper cat -combiner cat", [CONFIGURING, NUMBER]),
        # As PipeMapRed.configure reads it for both:
        ("-D stream.joindelay.milli=x -mapper cat", [CONFIGURING, CONFIGURING, NUMBER]),
        (
            f"-D stream.joindelay.milli=x -mapper {LIB}.IdentityMapper -reducer cat -inputformat KeyValueTextInputFormat",
            [CONFIGURING, NUMBER],
        ),
    ],
)
def test_a_number_that_is_none_fails_the_task_that_reads_it(tmp_path, args, causes):
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, []))
    assert ran.returncode == 1
    said = [line for line in ran.stderr.decode().splitlines() if line.startswith("Caused by: ")]
    assert said[: len(causes)] == [f"Caused by: {cause}" for cause in causes]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_fails_the_setup_of_a_job(tmp_path):
    """LocalJobRunner.Job.run: with an unknown algorithm before the output directory is made, else behind it."""
    version = "-D mapreduce.fileoutputcommitter.algorithm.version=3 -mapper cat"
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, version, []))
    assert "java.io.IOException: Only 1 or 2 algorithm version is supported" in ran.stderr.decode()
    assert not (tmp_path / "out").exists()
    ran = run_job(tmp_path, Recorded({}, "-mapper cat -numReduceTasks -1", []))
    assert "java.lang.NegativeArraySizeException: -1" in ran.stderr.decode()
    assert ran.returncode == 1
    assert list((tmp_path / "out").iterdir()) == []


DIGITS = "9" * 5000  # more than Python reads


def test_a_counter_of_more_digits_than_a_long_is_passed_over(tmp_path):
    script = (
        f"cat; for n in {DIGITS} 9223372036854775808 9223372036854775807 2; do echo reporter:counter:g,c,$n >&2; done\n"
    )
    args = "-files {IN}/../m.sh -mapper m.sh -reducer NONE"
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, [], {"m.sh": script}))
    assert ran.returncode == 0, ran.stderr[-1000:]
    assert ran.stderr.count(b"Cannot parse counter increment") == 2
    assert parse_counters(ran.stderr.decode())["g"] == {"c": -9223372036854775807}  # as a long adds up


def test_a_group_that_is_named_like_the_heading_of_the_frameworks_is_another_one(tmp_path):
    """AbstractCounters.getGroup knows its groups by their classes; CounterGroupFactory.isFrameworkGroup."""
    groups = [
        "Map-Reduce Framework",
        "org.apache.hadoop.mapred.Task$Counter",
        "org.apache.hadoop.mapreduce.TaskCounter",
    ]
    names = ["Map output records", "MAP_INPUT_RECORDS", "MAP_INPUT_RECORDS"]
    script = "cat\n" + "".join(
        f"echo 'reporter:counter:{group},{name},{amount}' >&2\n"
        for group, name, amount in zip(groups, names, (5, 10, 100), strict=True)
    )
    args = "-files {IN}/../m.sh -mapper m.sh -reducer NONE"
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, [], {"m.sh": script}))
    assert ran.returncode == 0, ran.stderr
    block = ran.stderr.decode().partition("Counters: ")[2].partition("\n20")[0]
    assert block.splitlines() == [
        "5",
        "\tMap-Reduce Framework",
        "\t\tMap input records=111",
        "\t\tMap output records=1",
        "\tMap-Reduce Framework",
        "\t\tMap output records=5",
        "\tFile Input Format Counters ",
        "\t\tBytes Read=2",
        "\tFile Output Format Counters ",
        "\t\tBytes Written=3",
    ]


@pytest.mark.parametrize("combiner", ["", "-combiner cat"])
def test_the_unknown_weight_of_what_a_failed_mapper_gave_is_left_out(tmp_path, combiner):
    args = f"-files {{IN}}/../m.sh -mapper m.sh {combiner} -reducer cat"
    ran = run_job(tmp_path, Recorded({"a.txt": b"ab\tc\nd\n"}, args, [], {"m.sh": "cat; exit 3\n"}))
    assert ran.returncode == 1
    counters = parse_counters(ran.stderr.decode())["Map-Reduce Framework"]
    assert counters == {"Map input records": 2, "Map output records": 2}


def test_the_frameworks_group_has_no_counters_of_other_names(tmp_path):
    script = 'cat; for n in $(seq 300); do echo "reporter:counter:org.apache.hadoop.mapreduce.TaskCounter,own$n,1"; done >&2\n'
    args = "-files {IN}/../m.sh -mapper m.sh -reducer NONE"
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, [], {"m.sh": script}))
    assert ran.returncode == 0, ran.stderr[-1000:]
    assert b"own" not in ran.stderr


def test_a_value_of_more_digits_than_a_long_fails_its_aggregation(tmp_path):
    job = Recorded({"a.txt": f"LongValueSum:k\t{DIGITS}\n".encode()}, "-mapper cat -reducer aggregate", [])
    ran = run_job(tmp_path, job)
    assert ran.returncode == 1
    assert f'Caused by: java.lang.NumberFormatException: For input string: "{DIGITS}"' in ran.stderr.decode()


def test_too_many_groups_of_counters(tmp_path):
    script = "cat; for group in $(seq 60); do echo reporter:counter:g$group,c,1 >&2; done\n"
    args = "-files {IN}/../m.sh -mapper m.sh -reducer NONE"
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, [], {"m.sh": script}))
    limit = "org.apache.hadoop.mapreduce.counters.LimitExceededException"
    causes = [f"{limit}: {limit}: ", f"{limit}: "]
    said = ran.stderr.decode().splitlines()
    assert all(f"Caused by: {cause}Too many counter groups: 51 max=50" in said for cause in causes)


def test_the_content_of_a_directory_is_shipped(tmp_path):
    """StreamJob.packageJobJar packs what is in a `-file DIR`, and the job's jar is unpacked where the task runs."""
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "x.txt").write_text("X\n")
    ran = run_job(tmp_path, Recorded({"a.txt": b"x\n"}, "-file {IN}/../d -mapper ls -reducer NONE", []))
    assert ran.returncode == 0, ran.stderr
    assert parts(tmp_path / "out") == [b"d\t\nsub\t\nx.txt\t\n"]


def test_a_job_without_a_success_file_has_only_its_parts(tmp_path):
    args = "-D mapreduce.fileoutputcommitter.marksuccessfuljobs=false -mapper cat -reducer NONE"
    assert run_job(tmp_path, Recorded({"a.txt": b"x\n"}, args, [])).returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part-00000"]


@pytest.fixture(scope="module")
def many():
    """Lines of many kinds: common and rare keys, control characters, no TAB, long values, CR LF."""
    chance = random.Random(7)
    keys = [b"the", b"a", b"a\x01", b"", "naïve".encode(), b"\xff\xfe", b"key with blanks", b"k" * 200]
    keys += [b"%x" % chance.getrandbits(40) for _ in range(400)]
    weights = [40, 20, 1, 1, 5, 1, 5, 1] + [1] * 400
    values = [b"\t1", b"\t1", b"", b"\tv\tw", b"\t" + b"x" * 300]
    chosen = chance.choices(keys, weights, k=8_000)
    return b"".join(key + chance.choice(values) + chance.choice([b"\n", b"\n", b"\r\n"]) for key in chosen)


@pytest.mark.parametrize("combiner", ["", "-combiner cat "])
@pytest.mark.parametrize("reduces", [1, 3, 4])
@pytest.mark.parametrize("parallel", [1, 3])
def test_results_do_not_depend_on_the_way_taken(tmp_path, many, combiner, reduces, parallel):
    """Beside the definition of what must come out, in plain Python."""
    args = f"-D fs.local.block.size=20000 -D mapreduce.job.reduces={reduces} -mapper cat {combiner}-reducer cat"
    ran = run_job(tmp_path, Recorded({"a.txt": many}, args, []), {"FLOWSPEC_PARALLEL": str(parallel)})
    assert ran.returncode == 0, ran.stderr
    lines = many.replace(b"\r\n", b"\n").split(b"\n")[:-1]
    pairs = [line.partition(b"\t")[::2] for line in lines]
    partition = hash_partitioner(reduces)
    for number, part in enumerate(parts(tmp_path / "out")):
        mine = [pair for pair in pairs if partition(pair[0]) == number]
        written = [line.partition(b"\t")[::2] for line in part.split(b"\n")[:-1]]
        assert [key for key, _ in written] == sorted(key for key, _ in mine)
        assert Counter(written) == Counter(mine)
    counters = parse_counters(ran.stderr.decode())["Map-Reduce Framework"]
    assert counters["Reduce input records"] == counters["Reduce output records"] == len(lines)
    assert counters["Reduce input groups"] == sum(1 for _ in groupby(sorted(key for key, _ in pairs)))


def test_the_same_comparator_gives_the_same_order_over_many_splits(tmp_path):
    chance = random.Random(3)
    rows = [b"%d,%d" % (chance.randrange(40), chance.randrange(-999, 999)) for _ in range(3_000)]
    args = (
        "-D fs.local.block.size=4000 -D stream.map.output.field.separator=; -D mapreduce.map.output.key.field.separator=,"
        f" -D mapreduce.job.output.key.comparator.class={COMPARATOR}"
        " -D mapreduce.partition.keycomparator.options=-k1,1n_-k2,2nr -mapper cat -reducer cat"
    )
    ran = run_job(tmp_path, Recorded({"a.txt": b"\n".join(rows)}, args, []))
    assert ran.returncode == 0, ran.stderr
    numbers = sorted((tuple(map(int, row.split(b","))) for row in rows), key=lambda row: (row[0], -row[1]))
    assert parts(tmp_path / "out") == [b"".join(b"%d,%d\t\n" % row for row in numbers)]


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("reduces", [1, 3])
def test_keys_that_a_comparator_finds_equal_keep_the_order_of_their_map(tmp_path, reduces, parallel):
    rows = [b"%s\t%d" % (chance, number) for number, chance in enumerate([b"kim", b"kay", b"kim", b"kit", b"-1"] * 400)]
    args = (
        f"-D fs.local.block.size=5000 -D mapreduce.job.reduces={reduces} -D mapreduce.job.output.key.comparator.class={COMPARATOR}"
        " -D mapreduce.partition.keycomparator.options=-k1,1n -mapper cat -reducer cat"
    )
    ran = run_job(tmp_path, Recorded({"a.txt": b"\n".join(rows)}, args, []), {"FLOWSPEC_PARALLEL": str(parallel)})
    assert ran.returncode == 0, ran.stderr
    written = [[line.partition(b"\t")[::2] for line in part.splitlines()] for part in parts(tmp_path / "out")]
    assert sorted(pair for part in written for pair in part) == sorted(row.partition(b"\t")[::2] for row in rows)
    starts = split_starts(rows, 5000)
    for part in written:
        keys = [key == b"-1" for key, _ in part]
        assert keys == sorted(keys, reverse=True)
        for is_number in (True, False):
            numbers = [int(value) for key, value in part if (key == b"-1") == is_number]
            for begin, end in pairwise([*starts, len(rows)]):
                of_map = [number for number in numbers if begin <= number < end]
                assert of_map == sorted(of_map)


@pytest.mark.parametrize(
    ("more", "maps"),
    [
        ("-reducer cat", 3),
        ("-reducer cat -D_mapreduce.job.maps=1", 1),
        ("-reducer cat -D_mapred.map.tasks=2", 2),
        ("-reducer NONE", 1),
        (
            f"-reducer cat -D_mapreduce.job.output.key.comparator.class={COMPARATOR} -D_mapreduce.partition.keycomparator.options=-n",
            1,
        ),
    ],
)
def test_a_small_input_keeps_all_cores_busy_where_it_does_not_show(tmp_path, more, maps):
    generic = " ".join(word.replace("-D_", "-D ") for word in more.split() if word.startswith("-D_"))
    rest = " ".join(word for word in more.split() if not word.startswith("-D_"))
    (tmp_path / "m.sh").write_text("cat > /dev/null; echo $mapreduce_job_maps\n")
    args = f"{generic} -files {tmp_path}/m.sh -mapper m.sh {rest}"
    ran = run_job(tmp_path, Recorded({"a.txt": b"line of text\n" * (1 << 20)}, args, []), {"FLOWSPEC_PARALLEL": "3"})
    assert ran.returncode == 0, ran.stderr
    assert parts(tmp_path / "out") == [b"%d\t\n" % maps * maps]


def split_starts(rows, size):
    """The first row of each map task: a split takes the lines that begin behind its first byte."""
    starts, offset = [0], 0
    for number, row in enumerate(rows):
        if offset > size * len(starts):
            starts.append(number)
        offset += len(row) + 1
    return starts


def test_progress_is_told_in_small_steps(tmp_path):
    data = b"".join(b"%06d\n" % number for number in range(20_000))
    script = "while read -r line; do echo $line; done\n"
    args = "-D fs.local.block.size=35000 -files {IN}/../m.sh -mapper m.sh -reducer cat"
    ran = run_job(tmp_path, Recorded({"a.txt": data}, args, [], {"m.sh": script}))
    assert ran.returncode == 0, ran.stderr
    shown = [line.partition("INFO Job: ")[2] for line in ran.stderr.decode().splitlines() if "map " in line]
    assert shown[0] == " map 0% reduce 0%"
    assert shown[-1] == " map 100% reduce 100%"
    assert len(shown) == len(set(shown))
