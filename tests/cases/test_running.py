"""Cases, run: what passes, what fails and why, and what can't be run."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from flowspec import CaseOutcome, FlowspecError, SpecError, run_tests
from flowspec.cases import running
from flowspec.errors import NothingFound
from tests.cases.conftest import CASE, SPEC, Flow

EXAMPLES = Path(__file__).parents[2] / "examples"


def only(folder, **options):
    (result,) = run_tests([folder], **options)
    return result


def failing(folder, **options):
    result = only(folder, **options)
    assert result.outcome is CaseOutcome.FAILED, result
    return "\n".join(result.problems)


def finding(folder):
    """The only diagnostic of the only case, which can't be run."""
    result = only(folder)
    assert result.outcome is CaseOutcome.INVALID, result
    (found,) = result.diagnostics
    return found


@pytest.mark.parametrize("example", ["wordcount", "boto-emr", "spark"])
def test_the_examples_pass(example):
    results = run_tests([EXAMPLES / example])
    assert results
    assert [(one.outcome, one.problems, one.diagnostics) for one in results if not one.succeeded] == []


@pytest.mark.parametrize("target", ["laptop", "prod"])
def test_a_case_passes_and_leaves_nothing(flow, target, monkeypatch, tmp_path):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    case = flow.case(text=f"target: {target}\ninputs: {{'s3://acme/in/': in}}\nexpect: {{'s3a://acme/out': out}}\n")
    result = only(flow.folder)
    assert (result.outcome, result.problems, result.diagnostics) == (CaseOutcome.PASSED, (), ())
    assert result.path == case / "case.yaml"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert sorted(one.name for one in flow.folder.iterdir()) == ["job.yaml", "tests"]


def test_a_wrong_output_is_shown_at_its_first_lines(flow):
    flow.case(expected="a\t\nx\t\n")
    assert (
        failing(flow.folder) == "s3://acme/out/: part-00000: differs from line 2 on (2 lines)\n   a\t\n  -x\t\n  +b\t"
    )


def test_relative_paths_of_a_local_target_are_in_the_home(flow):
    spec = flow.folder / "job.yaml"
    spec.write_text(spec.read_text().replace("s3://acme/in/", "in").replace("s3://acme/out/", "out"))
    flow.case(text="inputs: {in: in}\nexpect: {out: out}\n")
    assert only(flow.folder).succeeded
    assert not (flow.folder / "out").exists()


def test_counters(flow):
    text = "inputs: {{'s3://acme/in/': in}}\ncounters: {{copy: {{Map-Reduce Framework: {{Map input records: {}}}}}}}\n"
    case = flow.case(text=text.format(2))
    assert only(flow.folder).succeeded
    (case / "case.yaml").write_text(text.format(3))
    assert failing(flow.folder) == "counter Map input records (Map-Reduce Framework) of step 'copy' is 2, not 3"
    (case / "case.yaml").write_text("inputs: {'s3://acme/in/': in}\ncounters: {other: {x: {y: 1}}}\n")
    assert failing(flow.folder) == "counters of step 'other': 0 steps have that name; there are copy"


FAILS = "inputs: {'s3://acme/in/': in}\nvariables: {mapper: 'false'}\n"


@pytest.mark.parametrize(
    "expectation",
    [
        "fails: copy",
        "fails: {step: copy, message: subprocess failed with code 1}",
        "exit_code: 4",
        "fails: copy\nexit_code: 4",
    ],
)
def test_a_step_that_is_to_fail(flow, expectation):
    flow.case(text=f"{FAILS}{expectation}\n")
    assert only(flow.folder).succeeded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{FAILS}exit_code: 0\n", "the run ended with exit code 4 (step failed), 0 is expected"),
        (f"{FAILS}fails: other\n", "step 'other' should have failed, it was step 'copy'"),
        (
            f"{FAILS}fails: {{step: copy, message: no such words}}\n",
            "'no such words' is not in the description of the failure:",
        ),
        ("inputs: {'s3://acme/in/': in}\nfails: copy\n", "the run ended with exit code 0 (succeeded), 4 is expected"),
    ],
)
def test_an_end_that_is_not_the_expected_one(flow, text, told):
    flow.case(text=text)
    assert failing(flow.folder).splitlines()[0] == told


def test_why_a_run_failed_is_told(flow):
    flow.case(text=f"{FAILS}exit_code: 0\n")
    assert "subprocess failed with code 1" in failing(flow.folder)


def test_a_run_without_end_is_ended(flow):
    case = "inputs: {'s3://acme/in/': in}\nvariables: {mapper: sleep 600}\ntimeout: 0.5\n"
    flow.case(text=f"{case}exit_code: 6\n")
    assert only(flow.folder).succeeded
    flow.case("two", f"{case}exit_code: 0\n")
    assert "exit code 6 (timed out, still running), 0 is expected" in failing(flow.folder / "tests/two")


def test_a_cluster_that_lives_on_is_ended_with_its_case(flow):
    spec = flow.folder / "job.yaml"
    spec.write_text(spec.read_text() + "keep_alive: true\ntermination_protected: true\n")
    flow.case()
    assert only(flow.folder).succeeded


def test_an_output_that_nothing_wrote(flow):
    flow.case(text="inputs: {'s3://acme/in/': in}\nexpect: {'s3://acme/other/': out}\n")
    assert failing(flow.folder) == "s3://acme/other/: there is no such output"
    assert failing(flow.folder, update=True) == "s3://acme/other/: there is no such output"


def test_update_writes_what_came_out(flow):
    case = flow.case(expected=None)
    result = only(flow.folder, update=True)
    assert (result.outcome, result.updated) == (CaseOutcome.UPDATED, (case / "out",))
    assert [one.name for one in (case / "out").iterdir()] == ["part-00000"]
    assert only(flow.folder, update=True).outcome is CaseOutcome.PASSED
    assert only(flow.folder).outcome is CaseOutcome.PASSED


def test_update_does_not_bless_a_run_that_failed(flow):
    case = flow.case(text=f"{FAILS}expect: {{'s3://acme/out/': out}}\n", expected=None)
    assert "exit code 4" in failing(flow.folder, update=True)
    assert not (case / "out").exists()


def test_update_does_not_write_through_a_link(flow, tmp_path):
    case = flow.case(expected=None)
    (tmp_path / "elsewhere").mkdir()
    (case / "out").symlink_to(tmp_path / "elsewhere")
    result = only(flow.folder, update=True)
    assert "outside of the spec's folder tree" in result.diagnostics[0].message
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("place", "lost"), [(".", "case.yaml"), ("..", "case.yaml"), ("in", "in"), ("case.yaml", "case.yaml")]
)
def test_update_does_not_replace_what_the_case_is_made_of(flow, place, lost):
    case = flow.case(text=CASE.replace(": out}", f": {place}}}"), sample="x\n")
    before = sorted(flow.folder.rglob("*"))
    (found,) = only(flow.folder, update=True).diagnostics
    assert (found.id, found.message) == ("FS802", f"'{place}' can't be updated: '{lost}' would be lost")
    assert sorted(flow.folder.rglob("*")) == before
    assert (case / "in/sample.txt").read_text() == "x\n"


def test_update_leaves_a_sample_that_is_what_came_out(flow):
    flow.case(text=CASE.replace(": out}", ": {path: in, compare: lines}}"), sample="x\t\n")
    assert only(flow.folder, update=True).outcome is CaseOutcome.PASSED


@pytest.mark.parametrize("update", [False, True])
def test_nothing_is_read_or_written_through_a_link_in_an_expected_folder(flow, tmp_path, update):
    case = flow.case()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/private").write_text("private\n")
    (case / "out/part-00000").unlink()
    (case / "out/part-00000").symlink_to(tmp_path / "elsewhere/private")
    assert "'out/part-00000' is outside of the spec's" in only(flow.folder, update=update).diagnostics[0].message
    (case / "out/part-00000").unlink()
    (case / "out/sub").symlink_to(tmp_path / "elsewhere")
    assert "'out/sub' is a link to a folder" in only(flow.folder, update=update).diagnostics[0].message
    assert (tmp_path / "elsewhere/private").read_text() == "private\n"


def test_neither_aws_nor_the_environment_reaches_a_step(flow, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("FLOWSPEC_VAR_mapper", "false")
    spec = flow.folder / "job.yaml"
    spec.write_text(
        spec.read_text().replace("'{{ mapper }}'", "cat")
        + "  - {name: env, type: command, args: [printenv, AWS_SECRET_ACCESS_KEY]}\n"
    )
    flow.case(text="inputs: {'s3://acme/in/': in}\nfails: env\n")
    assert only(flow.folder).succeeded


def test_secrets_are_masked(flow):
    spec = flow.folder / "job.yaml"
    text = spec.read_text().replace("type: string, default: cat", "type: string, sensitive: true")
    spec.write_text(text.replace('"{{ mapper }}"', '"echo {{ mapper }}"'))
    flow.case(
        text="variables: {mapper: hunter2hunter2}\ninputs: {'s3://acme/in/': in}\nexpect: {'s3://acme/out/': out}\n"
    )
    shown = failing(flow.folder)
    assert "hunter2" not in shown
    assert "+(sensitive)" in shown


# What can't be run.


@pytest.mark.parametrize(
    ("text", "id_", "message"),
    [
        ("", "FS004", "the file is empty"),
        ("- x\n", "FS005", "a case is a mapping, this is a list"),
        ("inputs: {}\n", "FS102", "the key 'expect' is missing"),
        ("exit_code: 0\nexpects: {}\n", "FS101", "unknown key 'expects'"),
        ("exit_code: 3\n", "FS104", "3 is not"),
        ("expect: {'s3://acme/out/': {path: out, compare: fuzzy}}\n", "FS104", "'fuzzy' is not"),
        ("exit_code: 0\nexit_code: 0\n", "FS006", "'exit_code'"),
        ("exit_code: 0\ndate: 2026-02-30\n", "FS105", "'2026-02-30' is not a date of the calendar"),
        ("exit_code: 0\n", "FS801", "step 'copy' reads s3://acme/in/, and the case provides nothing there"),
        ("inputs: {'s3://acme/in/': none}\nexit_code: 0\n", "FS802", "there is no file or folder 'none'"),
        (
            "inputs: {'s3://acme/in/': ../../../..}\nexit_code: 0\n",
            "FS802",
            "'../../../..' is outside of the spec's folder tree",
        ),
        ("expect: {'s3://acme/out/': none}\n", "FS802", "there is no file or folder 'none'"),
        ("inputs: {'hdfs:///x': in}\nexit_code: 0\n", "FS803", "'hdfs:///x' is not in the home of a case"),
        ("inputs: {'/x': in}\nexit_code: 0\n", "FS803", "'/x' is not in the home of a case"),
        ("inputs: {'../../x': in}\nexit_code: 0\n", "FS803", "'../../x' is not in the home of a case"),
        ("inputs: {'s3://acme/../../x': in}\nexit_code: 0\n", "FS803", "leads out of its root"),
        ("inputs: {'s3://acme/*/': in}\nexit_code: 0\n", "FS803", "is not in the home of a case"),
        ("target: nowhere\nexit_code: 0\n", "FS301", "nowhere"),
        ("spec: none.yaml\nexit_code: 0\n", "FS804", "there is no spec 'none.yaml'"),
    ],
)
def test_a_case_that_is_wrong(flow, text, id_, message):
    flow.case(text=text)
    found = finding(flow.folder)
    assert (found.id, message in found.message) == (id_, True), found
    assert found.location.file.endswith("job.yaml" if id_ == "FS301" else "case.yaml")


def test_an_output_outside_of_the_home(flow, tmp_path):
    spec = flow.folder / "job.yaml"
    spec.write_text(spec.read_text().replace("s3://acme/out/", f"{tmp_path}/out"))
    flow.case(text="inputs: {'s3://acme/in/': in}\nexit_code: 0\n")
    assert finding(flow.folder).id == "FS803"
    assert not (tmp_path / "out").exists()


def test_which_spec_is_meant_has_to_be_said(flow):
    flow.case()
    (flow.folder / "base.yaml").write_text("name: x\n")
    found = finding(flow.folder)
    assert (found.id, found.hint, found.notes[0]) == ("FS804", "give `spec: base.yaml`", "base.yaml, job.yaml")


def test_a_case_by_another_name(flow):
    case = flow.case()
    (case / "case.yaml").rename(case / "case.yml")
    assert finding(flow.folder).hint == "rename it"


def test_a_broken_case_does_not_keep_others_from_running(flow):
    flow.case("bad", text="")
    flow.case("good")
    assert [one.outcome.value for one in run_tests([flow.folder])] == ["invalid", "passed"]


def test_links_in_sample_data(flow, tmp_path):
    case = flow.case()
    (case / "in/b.txt").symlink_to("sample.txt")
    (case / "in/circle").symlink_to(".")
    assert "is a link to a folder" in finding(flow.folder).message
    (case / "in/circle").unlink()
    assert "differs" in failing(flow.folder)  # the linked file was read
    (case / "in/b.txt").unlink()
    (case / "in/b.txt").symlink_to("/etc/hostname")
    assert "outside of the spec's folder tree" in finding(flow.folder).message
    (case / "in/b.txt").unlink()
    (case / "in/b.txt").symlink_to("nothing")
    assert "is a broken link" in finding(flow.folder).message
    (case / "in/b.txt").unlink()
    os.mkfifo(case / "in/b.txt")
    assert "is neither a file nor a folder" in finding(flow.folder).message


def test_names_in_any_script(flow):
    flow.case("größe 漢字 $x", text="inputs: {'s3://acme/in/': in/ä ö.txt}\nexpect: {'s3://acme/out/': out}\n")
    (flow.folder / "tests/größe 漢字 $x/in/sample.txt").rename(flow.folder / "tests/größe 漢字 $x/in/ä ö.txt")
    assert only(flow.folder).succeeded


# Which cases are run.


def names(results):
    return [Path(one.name).name for one in results]


def test_cases_of_the_same_name_and_cases_given_twice(flow, tmp_path):
    other = type(flow)(tmp_path / "other")
    flow.case(text="")
    other.case(text="")
    found = [flow.folder, other.folder, tmp_path, flow.folder / "job.yaml", flow.folder / "tests/one/case.yaml"]
    results = run_tests(found)
    assert names(results) == ["one", "one"]
    assert len({one.name for one in results}) == 2


def test_links_to_folders_are_not_followed(flow):
    flow.case(text="")
    (flow.folder / "circle").symlink_to(".")
    (flow.folder / "tests/circle").symlink_to("..")
    assert names(run_tests([flow.folder])) == ["one"]


def test_a_spec_has_the_cases_that_are_about_it(flow):
    (flow.folder / "other.yaml").write_text("{")
    flow.case("mine", text="spec: job.yaml\nexit_code: 0\n")
    flow.case("theirs", text="spec: other.yaml\nexit_code: 0\n")
    assert names(run_tests([flow.folder / "job.yaml"])) == ["mine"]


def test_select(flow):
    for name in ("alpha", "beta", "gamma"):
        flow.case(name, text="")
    assert names(run_tests([flow.folder], names=["TESTS/ALPHA", "gam"])) == ["alpha", "gamma"]
    with pytest.raises(FlowspecError, match="no case's name contains 'delta'"):
        run_tests([flow.folder], names=["delta"])


def test_select_by_flow(flow, tmp_path):
    flow.case("tagged", text="")
    other = Flow(tmp_path / "other")
    (other.folder / "job.yaml").write_text(SPEC.replace("name: copy\n", "name: 'other-{{ mapper }}'\n", 1))
    # Its name is that of this case's variables; a case that can't be read or rendered is not left out.
    other.case("one", text="variables: {mapper: sort}\nexit_code: 0\n")
    other.case("two", text="target: nowhere\nexit_code: 0\n")
    folders = [flow.folder, other.folder]
    assert names(run_tests(folders, select=["name=other-sort"])) == ["tagged", "one", "two"]
    (flow.folder / "tests/tagged/case.yaml").write_text("exit_code: 0\n")
    assert names(run_tests(folders, select=["name~^other"])) == ["one", "two"]
    assert names(run_tests(folders, select=["name=copy", "name~sort$"])) == ["tagged", "one", "two"]
    with pytest.raises(NothingFound, match="no case is of a flow that is selected by name=none"):
        run_tests([flow.folder], select=["name=none"])
    with pytest.raises(FlowspecError, match="is not a condition"):
        run_tests([flow.folder], select=["copy"])


def test_globs(flow, tmp_path):
    flow.case("one", text="")
    flow.case("two", text="")
    (flow.folder / "notes.yaml").write_text("no: spec\n")
    (flow.folder / "loop").symlink_to(".")
    for pattern in ("*.yaml", "tests/*", "tests/*/case.yaml", "**", "**/case.yaml"):
        assert names(run_tests([flow.folder / pattern])) == ["one", "two"]
    assert names(run_tests([flow.folder / "tests/t*", flow.folder / "job.yaml"])) == ["two", "one"]
    with pytest.raises(SpecError, match="there is no such file or folder"):
        run_tests([flow.folder / "*.none"])


def test_two_specs_of_one_name_are_two_flows(flow, tmp_path):
    flow.case()
    twin = Flow(tmp_path / "twin")
    twin.case()
    assert [one.succeeded for one in run_tests([flow.folder, twin.folder, flow.folder / "job.yaml"])] == [True, True]


def test_an_internal_error_of_one_case_stops_no_other(flow, monkeypatch):
    flow.case("bad")
    flow.case("good")
    execute = running.execute

    def faulty(sandbox, wait):
        if sandbox.case.path.parent.name == "bad":
            raise ZeroDivisionError
        return execute(sandbox, wait)

    monkeypatch.setattr(running, "execute", faulty)
    bad, good = run_tests([flow.folder])
    assert (bad.outcome, type(bad.crash), good.succeeded) == (CaseOutcome.FAILED, ZeroDivisionError, True)


def test_paths_without_a_case(tmp_path):
    with pytest.raises(FlowspecError, match="no case was found"):
        run_tests([tmp_path])
    with pytest.raises(SpecError, match="there is no such file or folder"):
        run_tests([tmp_path / "none"])


def test_last_failed(flow):
    bad = flow.case("bad", text="")
    flow.case("good", text="exit_code: 0\ninputs: {'s3://acme/in/': in}\n")
    assert names(run_tests([flow.folder], last_failed=True)) == ["bad", "good"]  # none has failed yet
    assert names(run_tests([flow.folder], last_failed=True)) == ["bad"]
    assert names(run_tests([flow.folder / "tests/good"])) == ["good"]  # the other one is remembered
    (bad / "case.yaml").write_text((flow.folder / "tests/good/case.yaml").read_text())
    assert names(run_tests([flow.folder], last_failed=True)) == ["bad"]
    assert names(run_tests([flow.folder], last_failed=True, names=["good"])) == ["good"]


def test_results_do_not_depend_on_a_home_that_can_be_written(flow, monkeypatch, tmp_path):
    flow.case()
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "file/home"))
    assert only(flow.folder).outcome is CaseOutcome.PASSED
    with pytest.raises(FlowspecError, match="FLOWSPEC_HOME is not writable"):
        only(flow.folder, last_failed=True)


@pytest.fixture
def committed(flow, monkeypatch):
    """The flow with two broken cases (they are quick), a base file and a script, all of it committed."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    flow.case("one", text="spec: job.yaml\nexit_code: 0\n")
    flow.case("two", text="spec: other.yaml\nexit_code: 0\n")
    spec = (flow.folder / "job.yaml").read_text()
    (flow.folder / "base.yaml").write_text(spec.replace('"{{ mapper }}"', "map.py"))
    (flow.folder / "job.yaml").write_text("extends: base.yaml\n")
    (flow.folder / "other.yaml").write_text(spec)
    (flow.folder / "map.py").write_text("x")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], cwd=flow.folder, check=True)
    return flow.folder


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("job.yaml", ["one"]),
        ("base.yaml", ["one"]),
        ("map.py", ["one"]),
        ("tests/two/in/sample.txt", ["two"]),
        ("tests/two/new", ["two"]),
        ("other.yaml", ["two"]),
        ("README.md", []),
    ],
)
def test_base_runs_what_a_change_touches(committed, changed, expected):
    assert run_tests([committed], base="main") == ()
    path = committed / changed
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    assert names(run_tests([committed], base="main")) == expected


def test_base_runs_what_a_removed_file_breaks(committed):
    (committed / "map.py").unlink()
    assert names(run_tests([committed], base="main")) == ["one"]


def test_a_base_that_does_not_exist(committed):
    with pytest.raises(FlowspecError, match="there is no commit 'nowhere'"):
        run_tests([committed], base="nowhere")


def test_cases_run_side_by_side(flow, tmp_path):
    """Each of two cases waits for the other."""
    script = f"mapper: 'sh -c \"touch {tmp_path}/$0; cat > /dev/null; while [ ! -e {tmp_path}/$1 ]; do sleep 0.05; done\" {{}} {{}}'"
    for name, other in (("a", "b"), ("b", "a")):
        flow.case(
            name,
            text=f"variables: {{{script.format(name, other)}}}\ninputs: {{'s3://acme/in/': in}}\nexit_code: 0\ntimeout: 60\n",
        )
    assert [one.succeeded for one in run_tests([flow.folder], jobs=2)] == [True, True]


def test_keep_leaves_the_home_of_a_failed_case(flow, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    flow.case(expected="x\n")
    result = only(flow.folder, keep=True)
    assert (result.home / "s3/acme/out/part-00000").read_text() == "a\t\nb\t\n"


def test_results_are_told_as_they_come(flow):
    flow.case("slow")
    flow.case("broken", text="")
    told = []
    results = run_tests([flow.folder], on_result=lambda one: told.append(Path(one.name).name))
    assert sorted(told) == sorted(names(results)) == ["broken", "slow"]


def test_an_exception_ends_what_is_running(flow, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    flow.case("a", text="")
    mapper = f"bash -c 'sleep 600; touch {tmp_path}/ended-by-itself'"
    flow.case("b", text=f"inputs: {{'s3://acme/in/': in}}\nvariables: {{mapper: {json.dumps(mapper)}}}\nexit_code: 0\n")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tests([flow.folder], jobs=2, on_result=stop)
    assert not (tmp_path / "ended-by-itself").exists()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_interrupt_before_all_cases_are_begun_ends_the_first(flow, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    mapper = f"bash -c 'sleep 30; touch {tmp_path}/ended-by-itself'"
    for name in "ab":
        text = f"inputs: {{'s3://acme/in/': in}}\nvariables: {{mapper: {json.dumps(mapper)}}}\nexit_code: 0\n"
        flow.case(name, text=text)

    class Interrupted(running.ThreadPoolExecutor):
        def submit(self, run, case, *args, **options):
            if case.parent.name == "b":
                raise KeyboardInterrupt
            return super().submit(run, case, *args, **options)

    monkeypatch.setattr(running, "ThreadPoolExecutor", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tests([flow.folder])
    assert not (tmp_path / "ended-by-itself").exists()
