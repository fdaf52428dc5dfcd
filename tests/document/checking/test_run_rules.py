"""Rules about the order of steps, their timeouts and their retries."""

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.errors import SpecError

HEAD = """flowspec: v1
name: nightly
backend: {backend}
region: us-east-1
release_label: {release}
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
{logs}
keep_alive: {keep_alive}
auto_termination_policy: {{idle_timeout: 3600}}
instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]
{more}
steps:
"""
COMMAND = "type: command, args: ['true'], "
LOGS = "log_uri: s3://logs/x/"
RULES = {f"FS29{number}" for number in range(1, 9)} | {"FS286", "FS287"}


@pytest.fixture
def found(tmp_path):
    """The findings of the rules about a spec with these steps: [(id, column's text, message, hint)]."""

    def check(*steps, backend="emr", release="emr-7.5.0", keep_alive="true", more="", kind=COMMAND, logs=LOGS):
        head = HEAD.format(backend=backend, release=release, keep_alive=keep_alive, more=more, logs=logs)
        rows = [f"  - {{{kind}{one}}}" for one in steps]
        path = tmp_path / "job.yaml"
        path.write_text(head + "\n".join(rows) + "\n")
        try:
            diagnostics = validate(load(path)).warnings
        except SpecError as error:
            diagnostics = error.diagnostics
        return [(one.id, one.severity.value, one.message, one.hint) for one in diagnostics if one.id in RULES]

    return check


def test_an_order_that_is_right(found):
    assert found("name: a, on_failure: CANCEL_AND_WAIT", "name: b, needs: [a]") == []


def test_a_step_that_there_is_not(found):
    assert found("name: load", "name: b, needs: [laod]") == [
        ("FS295", "error", "there is no step 'laod'", "did you mean load?")
    ]


def test_cycles_are_named(found):
    messages = [
        message for _, _, message, _ in found("name: a, needs: [c]", "name: b, needs: [a]", "name: c, needs: [b]")
    ]
    assert messages == [
        "steps need each other: a → c → b → a",
        "steps need each other: b → a → c → b",
        "steps need each other: c → b → a → c",
    ]
    ((_, _, message, _),) = found("name: a, needs: [a]")
    assert message == "steps need each other: a → a"


def test_a_long_chain_that_is_no_cycle(found):
    steps = ["name: s0"] + [f"name: s{n}, needs: [s{n - 1}, s0]" for n in range(1, 60)]
    assert [one for one in found(*steps) if one[0] != "FS298"] == []


def test_a_step_that_is_needed_comes_later(found):
    ((id_, level, message, hint),) = found("name: b, needs: [a]", "name: a")
    assert (id_, level, hint) == ("FS297", "error", "put 'a' before 'b'")
    assert "EMR runs steps in the order of the list" in message


def test_when_the_order_does_not_keep_a_step_from_running(found):
    two = ("name: a, on_failure: CONTINUE", "name: b, needs: [a]")
    assert [(id_, level) for id_, level, _, _ in found(*two)] == [("FS298", "warning")]
    also = ("name: a", "name: b, needs: [a]")
    assert [one[0] for one in found(*also, more="action_on_failure: CONTINUE")] == ["FS298"]
    ((_, _, message, _),) = found(*two, more="step_concurrency_level: 5")
    assert message == "with step_concurrency_level 5, EMR may start it while 'a' runs"


@pytest.mark.parametrize(
    ("step", "options", "expected"),
    [
        ("on_failure: CANCEL_AND_WAIT, retry: {attempts: 2}", {}, []),
        ("on_failure: CONTINUE, retry: {attempts: 2}", {}, []),
        ("on_failure: TERMINATE_CLUSTER, retry: {attempts: 2}", {}, ["FS291"]),
        ("retry: {attempts: 2}", {}, ["FS291"]),
        ("retry: {attempts: 2}", {"more": "action_on_failure: CANCEL_AND_WAIT"}, []),
        ("on_failure: CONTINUE, retry: {attempts: 2}", {"keep_alive": "false"}, ["FS291"]),
        ("timeout: 600", {}, []),
        ("timeout: 600", {"release": "emr-5.27.0"}, ["FS293"]),
        ("timeout: 600", {"release": "emr-5.28.0"}, []),
        ("timeout: 10", {}, ["FS294"]),
        ("timeout: 10", {"backend": "local"}, []),
    ],
)
def test_retries_and_timeouts(found, step, options, expected):
    assert [one[0] for one in found(f"name: a, {step}", **options)] == expected


STREAMING = "type: streaming, mapper: cat, reducer: none, input: s3://b/i, output: s3://b/o"


def test_a_retry_of_a_step_that_makes_its_output(found):
    step = f"{STREAMING}, name: a, on_failure: CONTINUE, retry: {{attempts: 2}}"
    ((id_, level, message, hint),) = found(step, kind="")
    assert (id_, level, hint.partition(";")[0]) == ("FS292", "error", "leave retry out")
    assert "a second attempt fails" in message
    assert found(f"{step}, output_format: a.B", kind="") == []
    # A folder in HDFS exists by then, too: the remedy is to leave `retry` out.
    assert [one[0] for one in found(step.replace("s3://b/o", "hdfs:///o"), kind="")] == ["FS292"]
    assert found(step.partition(", retry")[0], kind="") == []


KEPT = "on_failure: CONTINUE, timeout: 60"


@pytest.mark.parametrize(
    ("step", "options", "expected"),
    [
        ("skip_on_exit: [3]", {}, [("FS286", "error")]),
        ("skip_on_exit: [3]", {"logs": LOGS}, []),
        ("skip_on_exit: [3]", {"logs": "api_params: {LogUri: s3://logs/x/}"}, []),
        ("skip_on_exit: [3]", {"logs": f"{LOGS}\napi_params: {{LogUri: null}}"}, [("FS286", "error")]),
        ("skip_on_exit: [3]", {"backend": "local"}, []),
        (f"{KEPT}, retry: {{attempts: 2}}", {}, [("FS287", "warning")]),
        (f"{KEPT}, retry: {{attempts: 2, on: [75, timeout]}}", {}, [("FS287", "warning")]),
        (f"{KEPT}, retry: {{attempts: 2, on: [75, 76]}}", {}, [("FS286", "error")]),
        (f"{KEPT}, retry: {{attempts: 2, on: [timeout]}}", {}, []),
        (f"{KEPT}, retry: {{attempts: 2, on: [75]}}, skip_on_exit: [3]", {}, [("FS286", "error")] * 2),
    ],
)
def test_policies_that_need_the_logs_of_a_cluster_that_keeps_none(found, step, options, expected):
    told = found(f"name: a, {step}", **{"logs": "", **options})
    assert sorted((id_, level) for id_, level, _, _ in told) == expected
    assert {hint for _, _, _, hint in told} <= {"give a log_uri"}
