"""Commands that have only a cluster's id, or its spec under another name."""

import json
import re

import pytest

from flowspec.emulator.api.service import Service
from flowspec.site import respond_with_page

SECRET = "correct horse battery"
VARIABLE = "variables: {token: {type: string, sensitive: true}}\n"
TAGGED = f'{VARIABLE}tags: {{team: search, token: "{{{{ token }}}}"}}'
STEPS = """\
  - name: use it
    type: command
    args: [bash, -c, 'echo "got $0 and $1" >&2; exit 3', "{{ token }}", "--password={{ token }}"]
"""


def test_secrets_are_masked_for_those_who_have_only_the_id(flowspec, own_home, job):
    job(STEPS, TAGGED)
    done = flowspec("apply", "job.yaml", "--var", f"token={SECRET}")
    (id_,) = set(re.findall(r"j-\w+", done.err))
    for what in (id_, "tiny", "job.yaml"):
        for argv in (("status",), ("status", "--format", "json"), ("logs",), ("logs", "--format", "json"), ("wait",)):
            shown = flowspec(argv[0], what, *argv[1:])
            assert SECRET not in shown.out + shown.err, (what, argv)
    assert "on this machine nothing is paid" in flowspec("status", id_, "--cost").err
    cluster = json.loads(flowspec("status", id_, "--format", "json").out)
    assert cluster["tags"]["token"] == "(sensitive)"
    assert cluster["tags"]["team"] == "search"
    assert cluster["steps"][0]["args"][-2:] == ["(sensitive)", "(sensitive)"]
    assert cluster["steps"][0]["args"][0] == "bash"
    assert re.fullmatch(r"[\w+/-]{15}", cluster["tags"]["flowspec:sensitive"]), "three places, and no value"


def test_a_cluster_of_this_machine_needs_no_region(flowspec, own_home, job):
    job("  - {name: one, type: command, args: [echo, hello]}", "region: eu-west-1")
    (id_,) = set(re.findall(r"j-\w+", flowspec("apply", "job.yaml").err))
    assert "hello" in flowspec("logs", id_).out
    for found, region in ((True, ()), (True, ("--region", "eu-west-1")), (False, ("--region", "us-east-1"))):
        assert (id_ in flowspec("list", "--all", "--backend", "local", *region).out) is found


@pytest.mark.parametrize("what", ["nobody", "j-0123456789ABC"])
def test_a_cluster_that_is_not_found_names_the_place_and_the_command_that_lists_it(flowspec, moto, job, what):
    here = flowspec("status", what)
    assert (here.code, " in the embedded EMR" in here.err) == (2, True)
    assert "give --region to look" in here.err
    place = ("--region", "eu-west-1", "--endpoint-url", moto)
    there = flowspec("status", what, *place)
    assert (there.code, " in eu-west-1" in there.err) == (2, True)
    suggested = there.err.split("`flowspec ")[1].split("`")[0].split()
    assert (suggested[0], tuple(suggested[-4:])) == ("list", place)
    assert flowspec(*suggested).code == 0


def test_a_folder_in_place_of_a_cluster_is_named(flowspec, own_home, tmp_path):
    (tmp_path / "jobs").mkdir()
    assert "jobs is a folder here: name one of its specs" in flowspec("status", "jobs").err


def test_an_option_that_has_no_effect_on_where_a_cluster_is_looked_for_is_refused(flowspec, own_home, job):
    job("  - {name: one, type: command, args: [echo, hello]}")
    for what in ("tiny", "j-0123456789ABC"):
        refused = flowspec("destroy", what, "--target", "prod", "--yes")
        assert (refused.code, f"--target is for a spec, and '{what}' is the " in refused.err) == (2, True)
    refused = flowspec("status", "job.yaml", "--backend", "emr")
    assert (refused.code, "target 'here' of the spec has `backend: local`" in refused.err) == (2, True)


def test_a_cluster_of_another_target_of_the_flow_is_not_adopted(flowspec, own_home, job):
    path = job("  - {name: one, type: command, args: ['true']}", keep_alive="true")
    path.write_text(path.read_text().replace("backend: local}", "backend: local}, there: {backend: local}"))
    (id_,) = set(re.findall(r"j-\w+", flowspec("apply", "job.yaml", "--target", "there").err))
    shown = flowspec("status", "job.yaml")
    assert f"; it runs on target there: {id_} (WAITING)\n  choose that target with --target" in shown.err
    planned = flowspec("plan", "job.yaml").out
    assert f"cluster {id_} (WAITING) is called tiny, but is of flow tiny on target there: it is left alone" in planned
    assert "flowspec adopt" not in planned, "it would be refused"
    flowspec("destroy", id_)


def test_a_cluster_of_the_flow_from_before_it_had_targets(flowspec, own_home, job):
    path = job("  - {name: one, type: command, args: ['true']}", keep_alive="true")
    with_targets = path.read_text()
    path.write_text(with_targets.replace("targets: {here: {default: true, backend: local}}", "backend: local"))
    (id_,) = set(re.findall(r"j-\w+", flowspec("apply", "job.yaml").err))
    path.write_text(with_targets)
    shown = flowspec("status", "job.yaml").err
    assert f"; it runs without a target: {id_} (WAITING)\n  `flowspec apply job.yaml --target here` runs it" in shown
    flowspec("destroy", id_)


def test_status_and_cancel_of_a_cluster_that_ended_with_a_failure(flowspec, own_home, job):
    job("  - {name: one, type: command, args: ['false'], on_failure: TERMINATE_CLUSTER}")
    (id_,) = set(re.findall(r"j-\w+", flowspec("apply", "job.yaml").err))
    assert flowspec("status", id_).err == f"`flowspec diagnose {id_}` says why it failed\n"
    cancelled = flowspec("cancel", id_, "one")
    assert (cancelled.code, "one is not cancelled: Cannot cancel a step that is FAILED." in cancelled.out) == (1, True)


def test_steps_that_are_added_are_masked_too(flowspec, own_home, job):
    job("  - {name: first, type: command, args: ['true']}", VARIABLE, keep_alive="true")
    done = flowspec("apply", "job.yaml", "--var", "token=x")
    id_ = re.findall(r"j-\w+", done.err)[0]
    assert "flowspec:sensitive" not in json.loads(flowspec("status", id_, "--format", "json").out)["tags"]
    job("  - {name: next, type: command, args: [echo, '{{ token }}']}", VARIABLE, keep_alive="true")
    flowspec("apply", "job.yaml", "--var", f"token={SECRET}")
    shown = flowspec("status", id_, "--format", "json").out
    assert "next" in shown
    assert SECRET not in shown
    assert flowspec("plan", "job.yaml", "--var", f"token={SECRET}", "--exit-code").code == 0, "no phantom difference"
    flowspec("destroy", id_)


def test_a_renamed_spec_is_told_of_its_cluster(flowspec, own_home, job):
    steps = "  - {name: quick, type: command, args: ['true']}"
    job(steps, keep_alive="true", name="before")
    id_ = re.findall(r"j-\w+", flowspec("apply", "job.yaml").err)[0]
    job(steps, keep_alive="true", name="after")
    done = flowspec("apply", "job.yaml")
    after = re.findall(r"started cluster (j-\w+)", done.err)[0]
    assert re.search(
        rf"note: cluster {id_} \(WAITING\) was started from \S*job.yaml as flow before; .*flowspec destroy {id_}",
        done.err,
    )
    assert "was started from" not in flowspec("apply", "job.yaml").err, "it is joined"
    flowspec("destroy", id_)
    flowspec("destroy", after)
    done = flowspec("apply", "job.yaml", "--detach")
    assert "was started from" not in done.err
    flowspec("destroy", re.findall(r"started cluster (j-\w+)", done.err)[0])


def test_json_says_who_joined(flowspec, own_home, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    first, second = (json.loads(flowspec("apply", "job.yaml", "--detach", "--format", "json").out) for _ in range(2))
    assert (first["joined"], second["joined"]) == (False, True)
    assert first["cluster"] == second["cluster"]
    flowspec("destroy", first["cluster"])


def test_no_line_of_a_secret_of_several_lines_is_shown_after_a_failed_step(flowspec, own_home, job):
    key = "first line of it\n  second line of it\r\nthird 'line' of it\n"
    script = 'echo "$0" >&2; echo "indented:    $0"; echo "$0" | tail -1 >&2; echo "-- $0" | sed "s/^/> /" >&2; set -x; : "$0"; exit 3'
    job(f'  - {{name: leak, type: command, args: [bash, -c, {json.dumps(script)}, "{{{{ token }}}}"]}}', VARIABLE)
    done = flowspec("apply", "job.yaml", "--var", f"token={key}")
    (id_,) = set(re.findall(r"j-\w+", done.err))
    assert "(sensitive)" in done.err
    for shown in (
        done,
        flowspec("logs", id_),
        flowspec("status", id_),
        flowspec("wait", "job.yaml", "--format", "json"),
    ):
        assert not re.search(r"(first|second|third) ?.?'?line", shown.out + shown.err), shown


def test_a_secret_in_a_name_is_masked_wherever_names_are_printed(flowspec, own_home, job):
    step = "  - {name: 'load {{ token }}', type: command, args: ['true']}"
    job(step, f'{VARIABLE}api_params: {{Name: "nightly {{{{ token }}}}"}}', keep_alive="true")
    shown = flowspec("apply", "job.yaml", "--var", f"token={SECRET}")
    (id_,) = set(re.findall(r"j-\w+", shown.err))
    assert SECRET not in shown.out + shown.err
    emulator = Service(own_home, account_rules=False)
    for path in ("/", f"/clusters/{id_}"):
        page = respond_with_page(emulator, path).body.decode()
        assert "(sensitive)" in page
        assert SECRET not in page
    asked = [(verb, id_) for verb in ("status", "wait", "diagnose", "report", "logs")]
    asked += [(*one, "--format", "json") for one in asked] + [("report", id_, "--format", "markdown")]
    asked += [(verb, id_, "--step", "no such step") for verb in ("logs", "diagnose", "cancel")]
    asked += [("list",), ("list", "--format", "json"), ("idle",), ("idle", "--format", "json"), ("destroy", id_)]
    for argv in asked:
        shown = flowspec(*argv)
        assert SECRET not in shown.out + shown.err, argv
