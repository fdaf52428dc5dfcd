"""`flowspec test` as a user runs it: what it prints, its exit codes, and what Ctrl-C leaves."""

import json
import signal
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.cases.conftest import CASE, Flow
from tests.waiting import wait_until


@pytest.fixture
def flow(tmp_path):
    return Flow(tmp_path / "flow")


def test_text_and_exit_codes(flowspec, flow):
    case = flow.case()
    done = flowspec("test", "flow")
    assert done.code == 0, done.err
    assert done.out.startswith("passed  flow/tests/one (")
    assert done.err.startswith("1 case: 1 passed in ")
    (case / "out/part-00000").write_text("x\n")
    done = flowspec("test", "flow")
    assert (done.code, "  s3://acme/out/: part-00000: differs from line 1 on" in done.out) == (1, True)
    flow.case("two", text="expect: {\n")
    done = flowspec("test", "flow", "-k", "two")
    assert done.code == 2
    assert "error[FS003]" in done.out
    assert "flow/tests/two/case.yaml:2:1" in done.out


def test_usage(flowspec, flow):
    assert flowspec("test", "nowhere").code == 2
    assert flowspec("test", "-j", "0").code == 2
    done = flowspec("test")
    assert (done.code, "no case was found in ." in done.err) == (2, True)
    assert flowspec("test", "no*where").code == 2


def test_select(flowspec, flow, tmp_path):
    flow.case()
    broken = Flow(tmp_path / "broken")
    broken.case(text="{")
    done = flowspec("test", "flow", "--select", "name=copy")
    assert (done.code, done.err.startswith("1 case: 1 passed in ")) == (0, True)
    done = flowspec("test", ".", "--select", "name=copy,tag=team")
    assert (done.code, done.out.split()[:2]) == (2, ["invalid", "broken/tests/one"])
    for select, told in (
        ("name=none", "no case is of a flow that is selected by name=none"),
        ("tag=team=ops", "the value of a tag follows a colon: tag=team:ops"),
        ("copy", "not a condition"),
    ):
        done = flowspec("test", "flow", "--select", select)
        assert (done.code, done.out, told in done.err) == (2, "", True)


def test_results_for_programs(flowspec, flow):
    flow.case(expected="x\n")
    flow.case("bad", text="")
    done = flowspec("test", "flow", "--format", "json", "--junit", "report.xml")
    bad, one = json.loads(done.out)
    assert (bad["name"], bad["outcome"], bad["diagnostics"][0]["id"]) == ("flow/tests/bad", "invalid", "FS004")
    assert (one["outcome"], len(one["problems"])) == ("failed", 1)


def test_an_output_beside_the_cases_is_named_by_its_plain_path(flowspec, flow):
    flow.case(text="inputs: {'s3://acme/in/': in}\nexpect: {'s3://acme/out/': ../counts}\n", expected=None)
    done = flowspec("test", "flow", "--update")
    assert (done.code, done.out.splitlines()[1:]) == (0, ["  wrote flow/tests/counts"])


def test_a_report_without_its_folder_is_refused_before_a_case_runs(flowspec, flow):
    flow.case()
    done = flowspec("test", "flow", "--junit", "no such/report.xml")
    assert (done.code, done.out) == (1, "")
    assert done.err == ("error: no such/report.xml: its folder is not there\n  make it: mkdir -p 'no such'\n")


def test_junit(flowspec, flow, tmp_path):
    flow.case()
    flow.case("x\x1b <&\"'ä", expected="\x00]]>\n")
    flow.case("z", text="")
    assert flowspec("test", "flow", "--junit", "report.xml").code == 2
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    one, odd, bad = root.iter("testcase")
    assert (one.get("classname"), one.get("name"), len(one)) == ("flow/tests", "one", 0)
    assert odd.get("name") == "x\\x1b <&\"'ä"
    assert "-\\x00]]>" in odd.find("failure").text
    assert "FS004" in bad.find("error").text


def test_base(flowspec, flow):
    flow.case()
    done = flowspec("test", "flow", "--base", "main")
    assert (done.code, "not a git repository" in done.err) == (1, True)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=flow.folder, check=True)
    done = flowspec("test", "flow", "--base", "HEAD")
    assert (done.code, done.out, done.err) == (0, "", "no case is touched by a change since HEAD\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(start, flow, tmp_path, number):
    """The step ignores SIGTERM, and a case is still waiting for its turn."""
    mapper = f"sh -c \"trap '' TERM; touch {tmp_path}/running; while :; do sleep 0.1; done\""
    script = json.dumps({"mapper": mapper})
    for name in ("a", "b"):
        flow.case(name, text=f"variables: {script}\ninputs: {{'s3://acme/in/': in}}\nexit_code: 0\n")
    (tmp_path / "scratch").mkdir()
    command = ["env", f"TMPDIR={tmp_path}/scratch", sys.executable, "-m", "flowspec", "test", "flow", "-j", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until((tmp_path / "running").exists)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert list((tmp_path / "scratch").iterdir()) == []
    # A process that was killed is there until it has its turn once more.
    wait_until(lambda: not running(tmp_path), lambda: running(tmp_path))


def running(folder):
    """The processes with a folder in their command line."""
    listed = subprocess.run(["ps", "-eo", "stat=,args="], check=True, capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and not line.startswith("Z")]


def test_two_at_once(start, flow):
    flow.case()
    flow.case("two", text=CASE.replace("exact", "lines"))
    first, second = start("test", "flow"), start("test", "flow")
    for process in (first, second):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.count("passed")) == (0, 2), err


def test_colors_only_on_a_terminal(flowspec, flow):
    flow.case()
    assert "\x1b" not in flowspec("test", "flow").out
