"""Each recorded and written failure is diagnosed as expected; noise and the unknown are not taken for causes."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

import flowspec
from flowspec.backend.aws.diagnosis.rule import UNKNOWN, Weight
from flowspec.backend.aws.diagnosis.rules import RULES
from flowspec.backend.aws.diagnosis.search import lines_of, search, search_words
from flowspec.emulator.worker.supervisor import COPIED, WORKER_DIED, WORKER_FAILED
from tests.backend.aws.failures.cases import ALL, FAILURES, load
from tests.backend.aws.failures.record import make_data
from tests.benchmarks.diagnosis import figures
from tests.engines.steps import needs_spark


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
@pytest.mark.parametrize("told", [False, True], ids=["logs-only", "with-emrs-words"])
def test_the_cause(case, told):
    found = case.diagnosed(told=told)
    assert case.is_right(found), found.cause
    assert found.advice or found.cause.id == UNKNOWN


# EMR's own words are all that there is of these.
WITHOUT_A_LOG = {
    "bootstrap-not-there",
    "unknown-silent",
    "unknown-streaming-bad-number",
    "written-insufficient-capacity",
    "written-spot-loss",
}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_lines_named_are_those_quoted(case):
    cause = case.diagnosed().cause
    assert bool(cause.log) is (case.name not in WITHOUT_A_LOG)
    if not cause.log:
        return
    path = cause.log.removeprefix("s3://logs/j-1/").removesuffix(".gz")
    lines = b"".join(case.logs.read(path)).decode().split("\n")
    assert lines[cause.line - 1 : cause.end_line] == list(cause.quote)


def test_there_are_enough_kinds():
    counted = Counter((case.expected["origin"], case.kind) for case in ALL)
    assert counted["recorded", "failure"] >= 80
    assert counted["written", "failure"] >= 20
    assert counted["recorded", "unknown"] + counted["recorded", "success"] >= 12
    causes = {case.expected["cause"] for case in ALL if case.expected["origin"] == "recorded"}
    assert len(causes - {"", UNKNOWN}) >= 40
    assert all(case.expected["source"] for case in ALL if case.expected["origin"] == "written")


@pytest.mark.parametrize(
    "case", [case for case in ALL if case.expected["origin"] == "recorded"], ids=lambda one: one.name
)
def test_what_was_recorded_is_what_it_says(case):
    """A case that is called a failure failed when it ran, and a success succeeded; no step runs after a failed bootstrap."""
    failed = "CANCELLED" if case.name.startswith("bootstrap-") else "FAILED"
    assert case.ended["step"]["state"] == ("COMPLETED" if case.kind == "success" else failed)


@pytest.mark.parametrize("told", [False, True])
def test_precision_and_recall(told):
    for origin in ("recorded", "written"):
        found = figures([case for case in ALL if case.expected["origin"] == origin], told=told)
        assert (found["precision"], found["recall"]) == (1.0, 1.0), found


def test_the_advice_on_a_missing_program_names_the_line_of_the_interpreter():
    [case] = [one for one in ALL if one.name == "streaming-mapper-not-found"]
    cause = case.diagnosed(told=False).cause
    assert "the interpreter in its first line" in cause.summary
    assert "#!" in cause.advice


def test_a_rule_is_whole():
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.cause.endswith((".", "{name}.")), rule.id
        assert rule.advice, rule.id
        assert rule.source, rule.id
    assert {rule.weight for rule in RULES} == set(Weight)


# Words of causes that no case of the folder has, as the programs named by the rule print them.
WORDS = {
    "step-timeout": "it ran longer than its timeout of 600 s",
    "broadcast-timeout": "java.util.concurrent.TimeoutException: Could not execute broadcast in 300 secs. You can increase it",
    "quota": "INTERNAL_ERROR_EC2_EXCEEDED_QUOTA: the vCPU quota is used up (VcpuLimitExceeded)",
    "credentials-expired": "An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired.",
    "bucket-region": "The bucket you are attempting to access must be addressed using the specified endpoint.",
    "task-not-serializable": "org.apache.spark.SparkException: Task not serializable",
    "master-failed": "INSTANCE_FAILURE: The master node was terminated",
    "cluster-invalid": "VALIDATION_ERROR: The subnet does not exist",
    "local-worker-killed": WORKER_DIED,
    "local-worker-failed": f"{WORKER_FAILED}: database disk image is malformed",
    "local-home-copied": COPIED,
    "process-interrupted": "Step failed with exitCode 130 and took 2 seconds",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_case(rule):
    cases = {case.expected["cause"] for case in ALL}
    assert (rule.id in cases) != (rule.id in WORDS)
    if rule.id in WORDS:
        assert search_words(WORDS[rule.id]).rule.id == rule.id


# As shells, coreutils and the JDK print them; the last are no script's line ends.
TOLD = [
    ('/tmp/work/map.py: 3: Syntax error: word unexpected (expecting "do")', "shebang-missing"),
    ("/usr/bin/env: \u2018python3.9\\r\u2019: No such file or directory", "windows-line-ends"),
    ("/usr/bin/env: python3.9\r: No such file or directory", "windows-line-ends"),
    ("bash: ./run.sh: /bin/bash^M: bad interpreter: No such file or directory", "windows-line-ends"),
    ("bash: ./run.sh: /bin/bash\r: bad interpreter: No such file or directory", "windows-line-ends"),
    (r"run.sh: line 2: $'aws\r': command not found", "windows-line-ends"),
    ("run.sh: 2: aws\r: not found", "windows-line-ends"),
    (r"run.sh: line 3: syntax error near unexpected token `$'do\r''", "windows-line-ends"),
    (r"bash: line 1: cd: $'/mnt\r': No such file or directory", "windows-line-ends"),
    ("bash: line 1: exit: 0\r: numeric argument required", "windows-line-ends"),
    ("bash: line 1: ./run.sh: cannot execute: required file not found", "command-not-found"),
    ("WARN Step failed with exitCode 127 and took 0 seconds", "command-not-found"),
    ("java.io.IOException: Not a file: hdfs://ip-10-0-0-1:8020/in/sub", "input-not-a-file"),
    ("java.io.FileNotFoundException: Path is not a file: /in/sub", "input-not-a-file"),
    (r"ValueError: invalid literal for int() with base 10: '12\r'", "python-exception"),
    (r"FileNotFoundError: [Errno 2] No such file or directory: '/data/names.txt\r'", "file-missing"),
]


@pytest.mark.parametrize(("words", "cause"), TOLD)
def test_the_words_of_a_cause(words, cause):
    assert search(lines_of(words)).rule.id == cause


def test_the_recordings_name_no_machine():
    texts = {path: path.read_text() for path in FAILURES.glob("*/logs/**/*") if path.is_file()}
    assert len(texts) > len(ALL)
    assert [path for path, text in texts.items() if "/root/" in text or "/home/" in text] == []


LIVE = [
    "streaming-mapper-raises",
    "streaming-output-exists",
    "script-unbound-variable",
    "bootstrap-silent",
    "unknown-silent",
]


@pytest.mark.parametrize("name", [*LIVE, pytest.param("hadoop-fs-missing", marks=needs_spark)])
def test_live(name, own_home, tmp_path):
    """Run for real, a failure is diagnosed as its recording is."""
    case = load(name)
    make_data(own_home)
    # A base file has to be in the repository of its spec, and these tests run outside of one, too.
    (tmp_path / ".git").mkdir()
    shutil.copy(FAILURES / "base.yaml", tmp_path)
    spec = Path(shutil.copytree(case.folder, tmp_path / name)) / "job.yaml"
    # Some of these failures are what a preflight finds before it comes to them.
    result = flowspec.run(spec, run_bootstrap=True, preflight=False)
    found = flowspec.diagnose(result.cluster, result.verdict, flowspec.logs_of(result.emr, result.cluster))
    assert case.is_right(found), found
