"""Many specs on one command line: all are served, in one table, and the exit code is the worst."""

import json
import re
import shutil
import signal
import subprocess
import threading
from types import SimpleNamespace

import pytest

from flowspec import apply
from flowspec.cli import fleet_apply, selection
from flowspec.cli.exits import Exit, worst
from flowspec.cli.fleet import PlannedFleet, run_preflights
from flowspec.cli.specs import Rendering
from flowspec.report import fleets
from tests.endpoints import make_account

SPEC = """flowspec: v1
name: {name}
targets: {{here: {{default: true, backend: local}}}}
release_label: emr-7.5.0
keep_alive: {keep_alive}
tags: {{team: {team}}}
instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]
steps:
  - {{type: command, name: one, args: [{args}]}}
"""


@pytest.fixture
def write(tmp_path):
    """Writes the spec of a flow into the folder `jobs`."""
    folder = tmp_path / "jobs"
    folder.mkdir()

    def one(name, args="bash, -c, exit 0", team="data", keep_alive="false"):
        path = folder / f"{name}.yaml"
        path.write_text(SPEC.format(name=name, args=args, team=team, keep_alive=keep_alive))
        return path

    return one


def rows(done):
    return {row["spec"].removeprefix("jobs/"): (row["result"], row["exit"]) for row in json.loads(done.out)["flows"]}


def test_a_failing_flow_stops_no_other(flowspec, write, tmp_path):
    write("good")
    write("failing", "bash, -c, exit 1")
    (tmp_path / "jobs" / "broken.yaml").write_text("flowspec: v1\nname: [")
    (tmp_path / "jobs" / "notes.yaml").write_text("no: spec\n")
    done = flowspec("apply", "jobs")
    assert done.code == 4
    assert done.err.count("error[FS003]") == 1
    hints = [line for line in done.err.splitlines() if "with --rerun failed runs what is left" in line]
    assert [line.split()[0] for line in hints] == ["failing:"]
    lines = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    assert lines["good"][1:3] == ["here", "started"]
    assert lines["good"][-2:] == ["succeeded", "0"]
    assert lines["failing"][-3:] == ["step", "failed", "4"]
    assert lines["jobs/broken.yaml"][-1] == "2"
    assert done.out.splitlines()[-1] == "3 flows: 1 ok, 1 invalid, 1 with a failed step."


def test_each_line_of_progress_has_the_name_of_its_flow(flowspec, write):
    for name in ("one", "two"):
        write(name)
    done = flowspec("apply", "jobs", "--jobs", "2")
    assert done.code == 0
    assert all(line.startswith(("one: ", "two: ")) for line in done.err.splitlines())
    for name in ("one", "two"):
        mine = [line for line in done.err.splitlines() if line.startswith(f"{name}: ")]
        assert any("one: COMPLETED" in line for line in mine)
        assert any(": TERMINATED" in line for line in mine)


def test_a_flow_that_waited_long_is_planned_again(flowspec, write, monkeypatch):
    """Somebody else starts it between the plan and the apply."""
    other = write("second", keep_alive="true")
    planned, started = fleet_apply.plan_specs, []

    def plan_then_start(*argv, **options):
        made = planned(*argv, **options)
        (second,) = [one for one in made.plans if one.jobflow.name == "second"]
        started.append(apply(second.plan, second.emr).cluster_id)
        return made

    monkeypatch.setattr(fleet_apply, "plan_specs", plan_then_start)
    monkeypatch.setattr(fleet_apply, "_PLAN_MAX_AGE", 0.0)
    done = flowspec("apply", "jobs", "--detach", "--format", "json")
    assert rows(done) == {other.name: (f"joined {started[0]}", 0)}
    assert "second: nothing to do" in done.err


def test_one_file_is_shown_as_before(flowspec, write):
    path = write("alone")
    done = flowspec("plan", path)
    assert done.out.startswith("alone on target here\n")
    assert "RESULT" not in done.out
    assert "RESULT" in flowspec("plan", "jobs").out


def test_plans_of_a_folder_a_glob_and_files(flowspec, write):
    for name in ("a", "b"):
        write(name)
    for paths in (["jobs"], ["jobs/*.yaml"], ["jobs/a.yaml", "jobs/b.yaml"], ["jobs", "jobs/a.yaml"]):
        done = flowspec("plan", *paths, "--format", "json")
        assert rows(done) == {f"{name}.yaml": ("2 to create, 1 step to submit", 0) for name in "ab"}
        plans = [row["plan"]["flow"] for row in json.loads(done.out)["flows"]]
        assert plans == ["a", "b"]
    done = flowspec("plan", "jobs", "--exit-code")
    assert done.code == 3
    assert done.out.splitlines()[-1] == "2 flows: 2 ok. In all: 4 to create, 2 steps to submit."


class TestOffline:
    """No call is sent and no credentials are needed."""

    @pytest.fixture(autouse=True)
    def specs(self, write, tmp_path, monkeypatch):
        monkeypatch.setattr("flowspec.fleet.connect", lambda _: pytest.fail("a connection was made"))
        write("here")
        (tmp_path / "jobs" / "there.yaml").write_text(
            "flowspec: v1\nname: there\nregion: us-east-1\nrelease_label: emr-7.5.0\nlog_uri: s3://logs/\n"
            "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
            "variables: {password: {type: string, sensitive: true}}\n"
            "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
            "steps: [{type: command, name: one, args: [use, '{{ password }}']}]\n"
        )

    def test_plans_of_flows_and_a_broken_one(self, flowspec, tmp_path):
        (tmp_path / "jobs" / "broken.yaml").write_text("flowspec: v1\nname: [")
        done = flowspec("plan", "jobs", "--offline", "--format", "json")
        assert done.code == 2
        what = "2 to create, 1 step to submit"
        assert rows(done) == {
            "here.yaml": (what, 0),
            "there.yaml": (what, 0),
            "broken.yaml": ("invalid, see above", 2),
        }
        plans = [row["plan"] for row in json.loads(done.out)["flows"] if row["plan"]]
        assert [any(note.startswith("made offline") for note in plan["notes"]) for plan in plans] == [True, True]

    def test_the_options_of_one(self, flowspec):
        assert flowspec("plan", "jobs", "--offline", "--exit-code").code == 3
        chosen = flowspec("plan", "jobs", "--offline", "--select", "name=there", "--format", "json")
        assert list(rows(chosen)) == ["there.yaml"]
        for option in ("--replace", "--cancel-removed", "--out=plan.json"):
            refused = flowspec("plan", "jobs", "--offline", option)
            assert (refused.code, refused.out) == (2, "")
            assert option.partition("=")[0] in refused.err
            assert "--offline exclude each other" in refused.err

    def test_two_specs_of_one_flow(self, flowspec, write, tmp_path):
        shutil.copy(write("here"), tmp_path / "jobs" / "twin.yaml")
        done = flowspec("plan", "jobs", "--offline", "--format", "json")
        assert done.code == 1
        assert {name: code for name, (_, code) in rows(done).items()} == {
            "here.yaml": 1,
            "there.yaml": 0,
            "twin.yaml": 1,
        }


def test_a_plan_of_many_is_not_saved(flowspec, write):
    write("a")
    done = flowspec("plan", "jobs", "-o", "plan.json")
    assert done.code == 2
    assert "--out saves the plan of one spec only" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "jobs/b.yaml", "plan.json"),
        ("apply", "plan.json", "other-plan"),
        ("apply", "jobs", "plan.json", "--prune", "--yes"),
        ("apply", "plan.json", "--select", "name=a"),
        ("plan", "jobs/b.yaml", "plan.json"),
        ("plan", "plan.json"),
        ("validate", "jobs", "plan.json"),
        ("drift", "plan.json"),
    ],
)
def test_a_saved_plan_where_specs_are_wanted_is_a_usage_error(flowspec, write, tmp_path, arguments):
    assert flowspec("plan", write("a"), "-o", "plan.json").code == 0
    (tmp_path / "other-plan").write_bytes((tmp_path / "plan.json").read_bytes())
    write("b")
    done = flowspec(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: plan.json is a saved plan, not a spec: apply it by itself with flowspec apply FILE" in done.err


def test_a_saved_plan_in_a_folder_of_specs_is_left_alone(flowspec, write):
    assert flowspec("plan", write("a"), "-o", "jobs/plan.json").code == 0
    done = flowspec("apply", "jobs", "--format", "json")
    assert (done.code, list(rows(done))) == (0, ["a.yaml"])


def test_validate_takes_a_folder(flowspec, write, tmp_path):
    for number in range(3):
        write(f"n{number}")
    (tmp_path / "jobs" / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "jobs" / "bad.yaml").write_text("flowspec: v1\nname: 5\n")
    done = flowspec("validate", "jobs")
    assert done.code == 2
    assert done.out.splitlines() == [f"jobs/n{number}.yaml: valid" for number in range(3)]
    assert "jobs/loop.yaml" in done.err
    assert "jobs/bad.yaml" in done.err


def test_a_search_that_takes_long_says_what_is_searched(monkeypatch, tmp_path):
    said, told = [], threading.Event()
    monkeypatch.setattr(selection, "_LONG_SEARCH", 0.0)
    monkeypatch.setattr(selection, "eprint", lambda line: (said.append(line), told.set()))

    def find(paths):
        assert told.wait(60)
        return paths

    assert selection.selected_specs([tmp_path], (), Rendering(), find=find) == [tmp_path]
    assert said == [f"looking for specs in {tmp_path} and below"]


class TestSelect:
    @pytest.fixture(autouse=True)
    def specs(self, write):
        write("etl-a")
        write("etl-b", team="ops")
        write("report", team='"a,b"')

    @pytest.mark.parametrize(
        ("selects", "names"),
        [
            (["name~^etl-"], ["etl-a", "etl-b"]),
            (["name~b$"], ["etl-b"]),
            (["name=etl-a"], ["etl-a"]),
            (["name~etl,tag=team:ops"], ["etl-b"]),
            (["tag=team"], ["etl-a", "etl-b", "report"]),
            ([r"tag=team:a\,b"], ["report"]),
            (["name=report", "tag=team:ops"], ["etl-b", "report"]),
            ([r"name~^.{6\,}$"], ["report"]),
        ],
    )
    def test_conditions(self, flowspec, selects, names):
        options = [word for select in selects for word in ("--select", select)]
        done = flowspec("validate", "jobs", *options)
        assert done.out.splitlines() == [f"jobs/{name}.yaml: valid" for name in names]

    @pytest.mark.parametrize(
        "select",
        [
            *("", "etl", "nmae~x", "name~", "name~a,b", "name~a,,tag=b", "tag=", "tag~a", "name!=a", "tag=:x"),
            # Conditions are separated by commas.
            *("name~a{2,1}", "name~x{1,3}"),
        ],
    )
    def test_what_is_no_condition(self, flowspec, select):
        done = flowspec("plan", "jobs", "--select", select)
        assert done.code == 2
        assert "is not a condition: write name~REGEX, name=NAME, tag=KEY:VALUE or tag=KEY" in done.err

    @pytest.mark.parametrize("pattern", ["(", "[a"])
    def test_what_is_no_regular_expression(self, flowspec, pattern):
        done = flowspec("plan", "jobs", "--select", f"name~{pattern}")
        assert done.code == 2
        assert "is not a regular expression" in done.err

    @pytest.mark.parametrize(
        ("select", "remedy"),
        [
            ("name=nothing", "without --select, `flowspec validate` names the specs"),
            ("tag=team=ops", "the value of a tag follows a colon: tag=team:ops"),
            ("tag=a=b:c", "without --select, `flowspec validate` names the specs"),
        ],
    )
    def test_none_of_them(self, flowspec, select, remedy):
        done = flowspec("apply", "jobs", "--select", select)
        assert done.code == 2
        assert f"none of 3 flows is selected by {select}" in done.err
        assert remedy in done.err

    def test_a_spec_that_does_not_render_is_not_left_out(self, flowspec, tmp_path):
        (tmp_path / "jobs" / "broken.yaml").write_text('flowspec: v1\nname: "{{ nothing }}"\n')
        done = flowspec("plan", "jobs", "--select", "name=etl-a", "--format", "json")
        assert done.code == 2
        assert set(rows(done)) == {"etl-a.yaml", "broken.yaml"}


def test_a_warning_of_many_specs_is_printed_once(flowspec, write):
    roles = "region: us-east-1\nservice_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nlog_uri: s3://logs/"
    for number in range(8):
        path = write(f"n{number}", keep_alive="true")
        path.write_text(path.read_text().replace("targets: {here: {default: true, backend: local}}", roles))
    done = flowspec("plan", "jobs", "--offline")
    assert done.code == 0
    assert done.err.count("warning[FS222]") == 1
    places = ", ".join(f"jobs/n{number}.yaml:8" for number in range(1, 6))
    assert f"= also at {places} and 2 more places" in done.err


def test_what_is_done_to_a_living_cluster_is_shown(flowspec, write):
    write("same", keep_alive="true")
    write("other", keep_alive="true")
    assert flowspec("apply", "jobs").code == 0
    write("other", keep_alive="true", team="ops")
    done = flowspec("apply", "jobs", "--detach", "--format", "json")
    assert "other:   ~ tags.team: data → ops" in done.err
    results = {spec: result.split()[0] for spec, (result, _) in rows(done).items()}
    assert results == {"same.yaml": "joined", "other.yaml": "changed"}


BROKEN = "      - {{type: streaming, name: s{0}, mapper: cat, reducer: none, input: s3://acme/in{0}, output: s3://acme/out{0}}}"


@pytest.fixture
def unready(write):
    """Two flows: one whose four steps read what is not there, and one with a step of many inputs; and a good one."""
    for name, number in (("few", 4), ("many", 14)):
        steps = "\n".join(BROKEN.format(step).removeprefix("    ") for step in range(number))
        path = write(name)
        path.write_text(path.read_text().partition("steps:")[0] + f"steps:\n{steps}\n")
    write("good")


def test_all_problems_of_each_flow_are_shown_before_nothing_is_submitted_for_it(flowspec, unready):
    done = flowspec("apply", "jobs", "--detach", "--format", "json")
    assert done.code == 1
    assert {spec: code for spec, (_, code) in rows(done).items()} == {"few.yaml": 1, "many.yaml": 1, "good.yaml": 0}
    few = [line for line in done.err.splitlines() if line.startswith("few:   wrong: ")]
    assert [line.split()[4] for line in few] == [f"s3://acme/in{number}" for number in range(4)]
    assert all("jobs/few.yaml:" in line for line in few)
    assert sum(line.startswith("many:   wrong: ") for line in done.err.splitlines()) == 10
    assert "many:   and 4 more: flowspec plan jobs/many.yaml --target here --preflight" in done.err
    assert "few: would fail: 4 problems; " in done.err


def test_the_row_of_a_plan_says_what_its_preflight_found(flowspec, unready):
    done = flowspec("plan", "jobs", "--preflight")
    table = {line.split()[0]: " ".join(line.split()[2:]) for line in done.out.splitlines() if " here " in line}
    assert table["few"].startswith("would fail: 4 problems; 2 to create, 4 steps to submit")
    assert table["good"].startswith("2 to create, 1 step to submit")
    assert "  wrong: step s0: s3://acme/in0" in done.out


def test_clusters_of_a_renamed_spec_are_noted(flowspec, write):
    path = write("one", keep_alive="true")
    write("two")
    assert flowspec("apply", "jobs", "--select", "name=one").code == 0
    path.write_text(path.read_text().replace("name: one\nt", "name: renamed\nt"))
    done = flowspec("apply", "jobs", "--detach")
    (note,) = (line for line in done.err.splitlines() if "note: " in line)
    assert re.match(r"renamed: note: cluster j-\w+ \(WAITING\) was started from jobs/one.yaml as flow one; ", note)


class TestDrift:
    def test_a_living_cluster_that_differs(self, flowspec, write):
        for name in ("same", "other"):
            write(name, keep_alive="true")
        write("off")
        assert flowspec("apply", "jobs", "--select", "name=same", "--select", "name=other").code == 0
        assert flowspec("drift", "jobs").code == 0
        write("other", keep_alive="true", team="ops")
        done = flowspec("drift", "jobs", "--format", "json")
        assert done.code == 3
        assert rows(done) == {
            "same.yaml": ("in sync", 0),
            "other.yaml": ("differs: 1 to change", 3),
            "off.yaml": ("not running", 0),
        }
        assert "tags.team" in flowspec("drift").out
        shown = flowspec("drift", "jobs", "--format", "markdown").out
        assert "| other | here | differs: 1 to change | 3 |" in shown
        assert shown.count("<details>") == 1
        assert "~ tags.team" in shown

    def test_what_can_not_be_compared_is_worse(self, flowspec, write, tmp_path):
        write("other", keep_alive="true")
        assert flowspec("apply", "jobs").code == 0
        write("other", keep_alive="true", team="ops")
        (tmp_path / "jobs" / "broken.yaml").write_text("flowspec: v1\n")
        done = flowspec("drift", "jobs", "--format", "json")
        assert done.code == 2
        assert rows(done)["other.yaml"][1] == 3


class TestPrune:
    @pytest.fixture(autouse=True)
    def left(self, flowspec, write):
        """Two clusters live; the spec of one of them is gone."""
        write("stays", keep_alive="true")
        gone = write("gone", keep_alive="true")
        assert flowspec("apply", "jobs", "--detach").code == 0
        gone.unlink()

    def test_never_without_the_flag(self, flowspec):
        assert "gone" not in flowspec("apply", "jobs", "--detach").out
        assert "gone" in flowspec("list").out

    def test_a_plan_shows_what_would_be_ended(self, flowspec):
        done = flowspec("plan", "jobs", "--prune", "--exit-code", "--format", "json")
        assert done.code == 3
        assert "its spec is gone: cluster j-" in done.err
        assert rows(done)["stays.yaml"] == ("nothing to do", 0)
        assert re.fullmatch("to terminate: j-[A-Z0-9]+, whose spec is gone", rows(done)["gone.yaml"][0])
        assert "gone" in flowspec("list").out
        assert "gone" not in flowspec("plan", "jobs").out

    def test_a_plan_of_a_folder_that_has_become_empty(self, flowspec, tmp_path):
        (tmp_path / "jobs" / "stays.yaml").unlink()
        done = flowspec("plan", "jobs", "--prune", "--format", "json")
        assert (done.code, set(rows(done))) == (0, {"gone.yaml", "stays.yaml"})

    @pytest.mark.parametrize(
        ("options", "said"),
        [(["jobs", "--offline"], "--prune and --offline"), (["jobs/stays.yaml"], "--prune needs a folder")],
    )
    def test_a_plan_that_can_not_show_it_is_refused(self, flowspec, options, said):
        done = flowspec("plan", *options, "--prune")
        assert done.code == 2
        assert said in done.err

    def test_it_is_asked_for(self, flowspec):
        done = flowspec("apply", "jobs", "--detach", "--prune")
        assert done.code == 2
        assert "its spec is gone: cluster j-" in done.err
        assert "give --yes" in done.err
        assert "gone" in flowspec("list").out

    def test_clusters_without_a_spec_are_ended(self, flowspec):
        done = flowspec("apply", "jobs", "--detach", "--prune", "--yes", "--format", "json")
        assert done.code == 0
        assert rows(done)["gone.yaml"][0].startswith("pruned j-")
        assert rows(done)["stays.yaml"][0].startswith("joined j-")
        assert rows(flowspec("drift", "jobs", "--format", "json")) == {"stays.yaml": ("in sync", 0)}

    def test_neither_a_broken_spec_nor_one_not_selected_is_gone(self, flowspec, tmp_path):
        (tmp_path / "jobs" / "gone.yaml").write_text("flowspec: v1\nname: [")
        done = flowspec("apply", "jobs", "--detach", "--prune", "--yes", "--format", "json")
        assert done.code == 2
        assert "its spec is gone" not in done.err
        done = flowspec("apply", "jobs", "--detach", "--prune", "--yes", "--select", "name=nothing")
        assert "its spec is gone" not in done.err

    def test_of_a_folder_that_has_become_empty(self, flowspec, tmp_path):
        (tmp_path / "jobs" / "stays.yaml").unlink()
        done = flowspec("apply", "jobs", "--prune", "--yes", "--format", "json")
        assert done.code == 0
        assert {result.split()[0] for result, _ in rows(done).values()} == {"pruned"}
        assert len(rows(done)) == 2

    def test_after_ctrl_c_none_is_ended(self, flowspec, start, write):
        """Also where all flows had begun, so that none is left to begin."""
        write("long", "sleep, '600'")
        process = start("apply", "jobs", "--prune", "--yes")
        for line in process.stderr:
            if line.startswith("long: step") and "RUNNING" in line:
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 130
        assert re.search(r"^gone .* not pruned: interrupted +130$", out, re.MULTILINE), out
        assert "gone" in flowspec("list").out

    def test_ctrl_c_while_clusters_are_ended_is_told(self, flowspec, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("flowspec.backend.aws.manage.ending.destroy", interrupted)
        done = flowspec("apply", "jobs", "--detach", "--prune", "--yes", "--format", "json")
        assert (done.code, rows(done)["gone.yaml"]) == (130, ("not pruned: interrupted", 130))

    def test_a_file_is_no_folder(self, flowspec):
        done = flowspec("apply", "jobs/stays.yaml", "--prune")
        assert done.code == 2
        assert "--prune needs a folder" in done.err

    def test_a_protected_cluster_stays_and_the_rest_is_done(self, flowspec):
        cluster = next(line.split()[0] for line in flowspec("list").out.splitlines() if "gone" in line)
        assert flowspec("protect", cluster).code == 0
        done = flowspec("apply", "jobs", "--detach", "--prune", "--yes", "--format", "json")
        assert done.code == 1
        assert "is protected" in rows(done)["gone.yaml"][0]
        assert rows(done)["stays.yaml"][1] == 0


def test_destroy_asks_once_for_all(flowspec, write):
    for name in ("a", "b"):
        write(name, keep_alive="true")
    write("off")
    assert flowspec("apply", "jobs", "--detach", "--select", "name~^[ab]$").code == 0
    refused = flowspec("destroy", "jobs")
    assert refused.code == 2
    assert "Terminate 2 clusters? There is no terminal to ask on: give --yes" in refused.err
    done = flowspec("destroy", "jobs", "--yes", "--format", "json")
    assert done.code == 0
    results = {spec: result.split()[-1] for spec, (result, _) in rows(done).items()}
    assert results == {"a.yaml": "TERMINATED", "b.yaml": "TERMINATED", "off.yaml": "running"}


def test_destroy_of_ids_and_specs_together(flowspec, write):
    path, other = write("a", "sleep, '600'"), write("b", "sleep, '600'")
    ids = [flowspec("apply", one, "--detach").out.strip() for one in (path, other)]
    done = flowspec("destroy", ids[0], other, ids[1], "j-NONE", "--yes", "--format", "json")
    assert done.code == 2
    assert done.err.count(", 1 step not over\n") == 2, "what is lost is told before anyone is asked"
    assert [rows(done)[name][1] for name in (ids[0], "j-NONE")] == [0, 2]
    assert sum(result.endswith("TERMINATED") for result, _ in rows(done).values()) == 2


def test_ctrl_c_detaches_all_and_begins_no_other(start, write):
    for name in "abcd":
        write(name, "sleep, '600'")
    process = start("apply", "jobs", "--jobs", "2")
    told = ""
    for line in process.stderr:
        told += line
        if told.count("RUNNING") >= 4:
            break
    assert told.count("RUNNING") >= 4, told
    process.send_signal(signal.SIGINT)
    # Less than the step takes: it is not waited for.
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.count("keeps running; re-attach with: flowspec wait") == 2
    assert sum("interrupted" in line for line in out.splitlines() if line.endswith("130")) == 4
    assert out.count("not begun") == 2


def test_the_order_of_exit_codes():
    assert worst([]) is Exit.OK
    assert worst([0, 3, 0]) == 3
    assert worst([3, 2]) == 2
    assert worst([1, 4, 2]) == 4
    assert worst([4, 5, 6]) == 5
    assert all(worst([code, Exit.OK]) is code for code in Exit)


def test_an_exit_code_is_shown_as_its_number():
    assert (str(Exit.INTERRUPTED), f"{Exit.OK}") == ("130", "0")


class TestOnAnEndpoint:
    """Moto's server stands for AWS."""

    @pytest.fixture
    def jobs(self, tmp_path):
        folder = tmp_path / "repository" / "jobs"
        folder.mkdir(parents=True)
        for name in ("stays", "gone"):
            (folder / f"{name}.yaml").write_text(
                f"flowspec: v1\nname: {name}\nregion: us-east-1\nrelease_label: emr-7.5.0\nkeep_alive: true\n"
                "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nlog_uri: s3://acme-logs/\n"
                "variables: {password: {sensitive: true, default: hunter2hunter2}}\n"
                "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
                "steps: [{type: command, name: one, args: [use, '{{ password }}']}]\n"
            )
        git(folder, "init", "-q")
        commit(folder)
        return folder

    @pytest.fixture
    def call(self, flowspec, moto):
        make_account(moto)
        return lambda command, *argv: flowspec(command, *argv, "--endpoint-url", moto, "--region", "us-east-1")

    def test_prune_ends_only_what_this_repository_started(self, call, emr, jobs):
        assert call("apply", jobs, "--detach").code == 0
        stranger = {"Key": "flowspec:source", "Value": "jobs/other.yaml@0123456789ab"}
        tags = [{"Key": "flowspec:flow", "Value": "other"}, {"Key": "flowspec:target", "Value": ""}, stranger]
        emr.create("RunJobFlow", Name="other", Tags=tags, Instances={"KeepJobFlowAliveWhenNoSteps": True})
        (jobs / "gone.yaml").unlink()
        commit(jobs)
        done = call("apply", jobs, "--detach", "--prune", "--yes", "--format", "json")
        assert done.code == 0, done.err
        assert "left alone, since its commit is not in this repository" in done.err
        results = {row["flow"]: row["result"].split()[0] for row in json.loads(done.out)["flows"]}
        assert results == {"stays": "joined", "gone": "pruned"}
        states = {one["Name"]: one["Status"]["State"] for one in emr.pages("ListClusters", "Clusters")}
        assert (states["gone"], states["other"]) == ("TERMINATED", "WAITING")

    @pytest.mark.parametrize("changed", [False, True], ids=["new", "changed"])
    def test_what_can_be_checked_of_no_flow_is_told_once(self, call, jobs, changed):
        if changed:
            assert call("apply", jobs, "--detach", "--skip-preflight").code == 0
            for path in jobs.glob("*.yaml"):
                path.write_text(
                    path.read_text().replace("count: 1}", "count: 1}, {role: CORE, type: m5.xlarge, count: 2}")
                )
        done = call("apply", jobs, "--detach", *(["--replace"] if changed else []))
        assert done.code == 0, done.err
        assert done.err.count("  not checked: elasticmapreduce:RunJobFlow") == 1

    def test_prune_outside_of_git_is_refused_before_anything_is_done(self, call, emr, jobs):
        shutil.rmtree(jobs / ".git")
        done = call("apply", jobs, "--detach", "--prune", "--yes")
        assert done.code == 1
        assert "is in no git repository" in done.err
        assert not list(emr.pages("ListClusters", "Clusters"))

    def test_secrets_are_shown_nowhere(self, call, jobs):
        for argv in (["plan", jobs], ["plan", jobs, "--format", "json"], ["apply", jobs, "--detach"], ["drift", jobs]):
            done = call(*argv)
            assert done.code == 0, done.err
            assert "hunter2" not in done.out + done.err
        # Warnings are the business of validate and plan.
        assert done.err == ""

    def test_destroy_tells_what_stays_of_each(self, call, jobs):
        assert call("apply", jobs, "--detach").code == 0
        done = call("destroy", jobs, "--yes")
        assert done.code == 0, done.err
        assert all(f"{name}: stays: logs s3://acme-logs/j-" in done.err for name in ("stays", "gone"))

    def test_clusters_of_the_same_name_are_noted(self, call, emr, jobs):
        emr.create("RunJobFlow", Name="stays", Instances={"KeepJobFlowAliveWhenNoSteps": True})
        done = call("plan", jobs)
        assert "note: cluster j-" in done.out
        assert "does not have the tags of this flow" in done.out


def test_flows_that_need_attention_are_where_they_are_seen():
    rows = [fleets.Row(f"{n}.yaml", n, "", "", code) for n, code in (("a", 0), ("b", 3), ("c", 0), ("d", 2))]
    assert [line[0] for line in fleets.as_text(rows).splitlines()[1:5]] == ["a", "c", "b", "d"]
    shown = fleets.as_markdown(rows, "flowspec drift").splitlines()
    assert [line[2] for line in shown if line.startswith("| ")][2:] == ["b", "d", "a", "c"]


def test_every_exit_code_has_a_word():
    for code in Exit:
        row = fleets.Row("a.yaml", "a", "", "", code)
        assert fleets.count_line([row]).startswith("1 flow: 1 ")


def test_a_report_that_is_too_long_for_a_comment_says_what_is_left_out():
    rows = [fleets.Row(f"jobs/{n}.yaml", f"flow-{n}", "prod", "x" * 100, 0) for n in range(2000)]
    shown = fleets.as_markdown(rows, "flowspec drift")
    assert len(shown) <= 60_000
    left = int(re.search(r"_(\d+) more lines and plans are left out", shown)[1])
    assert shown.count("| flow") + left == 2000


def git(folder, *words):
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "some")


def test_an_interrupted_preflight_waits_for_no_other_flow():
    """An endpoint that never answers held Ctrl-C up until the calls of all flows had timed out."""
    ended = []

    def interrupted(_plan):
        raise KeyboardInterrupt

    def unanswered(_plan):
        threading.Event().wait(30)
        ended.append(True)

    flows = [SimpleNamespace(plan=SimpleNamespace(blocked=""), preflight=one) for one in (interrupted, unanswered)]
    with pytest.raises(KeyboardInterrupt):
        run_preflights(PlannedFleet(flows, [], None), jobs=2)
    assert not ended
