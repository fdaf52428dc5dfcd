"""`flowspec diagnose`, and what `apply` says of a failure."""

import json

import pytest

from flowspec.backend.aws.logs import PATIENCE
from flowspec.cli.commands.diagnose import _PATIENCE

HEAD = (
    "flowspec: v1\nname: nightly\nbackend: local\nrelease_label: emr-7.5.0\nservice_role: EMR_DefaultRole\n"
    "job_flow_role: EMR_EC2_DefaultRole\nkeep_alive: {keep_alive}\n"
    "instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]\n"
)
MODULE = "import pandaz"


@pytest.fixture
def spec(tmp_path):
    """Writes a spec whose steps run a line of shell each."""

    def write(*scripts, keep_alive="false", head=""):
        steps = [
            {"name": f"step {number}", "type": "command", "on_failure": "CONTINUE", "args": ["bash", "-c", script]}
            for number, script in enumerate(scripts)
        ]
        path = tmp_path / "job.yaml"
        path.write_text(HEAD.format(keep_alive=keep_alive) + head + f"steps: {json.dumps(steps)}\n")
        return path

    return write


def test_by_spec_by_name_and_by_id(flowspec, spec):
    path = spec(f"python3 -c '{MODULE}'")
    applied = flowspec("apply", path)
    assert applied.code == 4
    cause = "  cause: A Python module is not installed where the program runs. [python-module-missing]\n"
    assert cause in applied.err
    by_spec = flowspec("diagnose", path)
    assert (by_spec.code, by_spec.err) == (0, "")
    cluster = json.loads(flowspec("status", path, "--format", "json").out)
    log = f"/{cluster['id']}/{cluster['steps'][0]['id']}/stderr, lines "
    assert by_spec.out.startswith(f"nightly ({cluster['id']}): TERMINATED\n")
    assert by_spec.out.splitlines(keepends=True)[1] == cause, "what EMR says of it comes later"
    assert "  STEP_FAILURE: Steps completed with errors\n" in by_spec.out
    assert log.rpartition("/")[2] in by_spec.out
    assert "    | ModuleNotFoundError: No module named 'pandaz'\n" in by_spec.out
    assert "  try: list it in the requirements file of `python:`" in by_spec.out
    for what in ("nightly", cluster["id"]):
        assert flowspec("diagnose", what).out == by_spec.out


def test_for_programs(flowspec, spec):
    path = spec("echo one >&2; cat /not/there")
    flowspec("apply", path)
    document = json.loads(flowspec("diagnose", path, "--format", "json").out)
    cause = document["diagnosis"]["cause"]
    assert (cause["id"], cause["line"], cause["end_line"]) == ("file-missing", 2, 2)
    assert cause["quote"] == ["cat: /not/there: No such file or directory"]
    assert cause["log"].endswith("/stderr")


def test_for_a_pull_request(flowspec, spec):
    path = spec("echo '```' >&2; echo '# <b>not ours</b>' >&2; exit 3")
    flowspec("apply", path)
    lines = flowspec("diagnose", path, "--format", "markdown").out.split("\n")
    assert lines[0].startswith("### nightly (j-")
    assert lines[2] == "**Probable cause:** Not known. These are the last lines: (`unknown`)"
    # The fence is longer than the one in the log.
    start = lines.index("````")
    assert lines[start : start + 4] == ["````", "```", "# <b>not ours</b>", "````"]


def test_a_line_as_long_as_the_log_fills_no_screens(flowspec, spec):
    path = spec("head -c 200000 /dev/zero | tr '\\0' x >&2; exit 3")
    for shown in (flowspec("apply", path).err, flowspec("diagnose", path, "--format", "markdown").out):
        assert f"{'x' * 2000}…" in shown
        assert len(shown) < 10_000
    document = json.loads(flowspec("diagnose", path, "--format", "json").out)
    assert document["diagnosis"]["cause"]["quote"] == ["x" * 200_000], "programs get all of it"


def test_what_is_unknown_is_said_to_be(flowspec, spec):
    path = spec("seq 20 >&2; exit 3")
    flowspec("apply", path)
    shown = flowspec("diagnose", path).out
    assert "  cause: Not known. These are the last lines: [unknown]\n" in shown
    assert "stderr, lines 9-20\n" in shown
    assert "    | 20\n" in shown
    assert "    | 8\n" not in shown
    assert shown.index("STEP_FAILURE: ") < shown.index("cause: "), "EMR says more than flowspec here"


def test_nothing_has_failed(flowspec, spec):
    path = spec("echo ERROR: Permission denied >&2")
    assert flowspec("apply", path).code == 0
    assert flowspec("diagnose", path).out.endswith(": TERMINATED\n  Nothing has failed.\n")
    assert json.loads(flowspec("diagnose", path, "--format", "json").out)["diagnosis"] is None
    assert flowspec("diagnose", path, "--format", "markdown").out.endswith("\n\nNothing has failed.\n")


def test_the_latest_failure_of_a_cluster_that_lives_on(flowspec, spec):
    path = spec("cat /not/there", f"python3 -c '{MODULE}'", "true", keep_alive="true")
    assert flowspec("apply", path).code == 4
    try:
        assert "[python-module-missing]" in flowspec("diagnose", path).out
        assert "[file-missing]" in flowspec("diagnose", path, "--step", "step 0").out
        assert "Nothing has failed." in flowspec("diagnose", path, "--step", "step 2").out
        for asked in ("diagnose", "logs"):
            wrong = flowspec(asked, path, "--step", "step 7")
            assert (wrong.code, "there is no step 'step 7'" in wrong.err, "did you mean" in wrong.err) == (
                2,
                True,
                True,
            )
    finally:
        flowspec("destroy", path)


def test_secrets_and_control_characters(flowspec, spec, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_VAR_pin", "hunter2secret")
    path = spec(
        "printf 'ValueError: {{ pin }} \\033[2J\\n::error::no\\n' >&2; exit 3",
        head="variables: {pin: {type: string, sensitive: true}}\n",
    )
    assert flowspec("apply", path).code == 4
    for form in ("text", "json", "markdown"):
        shown = flowspec("diagnose", path, "--format", form).out
        assert "hunter2secret" not in shown
        assert "ValueError: (sensitive) " in shown
        assert "\x1b" not in shown
        assert not any(line.strip().startswith("::") for line in shown.split("\n"))


def test_the_patience_that_help_speaks_of():
    assert _PATIENCE == PATIENCE


@pytest.mark.parametrize(
    ("script", "cause", "said"),
    [
        ("echo reading; kill -9 $$", "process-killed", ["137 is SIGKILL", "memory ran out", "`dmesg`"]),
        ("echo reading; kill -INT $$", "process-interrupted", ["SIGINT", "Ctrl-C"]),
        # The step's parent is the worker. Its logs end where it was killed: what they happen to say is no cause.
        (
            "echo 'java.net.ConnectException: Connection refused' >&2; kill -9 $PPID; sleep 300",
            "local-worker-killed",
            ["SIGKILL", "machine restarted", "memory ran out", "`dmesg`"],
        ),
        ("kill $PPID; sleep 300", "local-worker-killed", ["SIGTERM", "--rerun failed"]),
    ],
)
def test_what_was_killed_is_said_to_be(flowspec, spec, script, cause, said):
    path = spec(script)
    assert flowspec("apply", path).code in {4, 5}
    shown = flowspec("diagnose", path).out
    assert f"[{cause}]" in shown
    for words in said:
        assert words in shown
