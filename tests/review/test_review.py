"""Two revisions of a repository compared: each kind of change, and repositories from strangers."""

import json
import re

import pytest

from flowspec.document.escaping import harmless
from flowspec.errors import FlowspecError
from flowspec.report import reviews
from flowspec.review.git import Repository
from flowspec.review.review import compare_revisions
from tests.review.conftest import Repo, spec

STEP = (
    "steps:\n  - {{name: one, type: streaming, mapper: m.sh, reducer: none, input: s3://a/in, output: s3://a/{out}}}\n"
)


def lines(made):
    return [line.strip() for line in reviews.as_text(made).splitlines() if line.startswith("  ")]


def changed(repo, before, after):
    """The review of a commit after another one."""
    base = repo.commit(before)
    repo.commit(after)
    return compare_revisions(repo.root, base)


def test_values_in_place_and_values_that_replace(repo):
    made = changed(repo, {"a.yaml": spec()}, {"a.yaml": spec(count=5).replace("7.1.0", "7.5.0")})
    assert reviews.as_text(made).splitlines()[0] == "a.yaml; replaces a running cluster"
    assert lines(made) == [
        "-/+ release_label: emr-7.1.0 → emr-7.5.0 only a new cluster has it  a.yaml:8",
        "~ instance group CORE: count 2 → 5  (ModifyInstanceGroups)  a.yaml:12",
        "cost: 0.75 → 1.50 USD an hour",
    ]
    assert made.flows[0].replaces
    colored = reviews.as_text(made, color=True)
    assert re.findall(r"\x1b\[\d+m\S+ \w+", colored.replace("\x1b[0m", "")) == [
        "\x1b[31m-/+ release_label",
        "\x1b[33m~ instance",
    ]
    assert re.sub(r"\x1b\[\d+m", "", colored) == reviews.as_text(made)


WATCHED = "log_uri: s3://a/logs/\nsteps:\n  - {{name: one, type: command, args: [a], on_failure: CONTINUE{more}}}\n"
COMMANDS = "on_end: [{command: [./tell.sh]}, {webhook: 'https://hooks.example.com/a'}]"
NEXT = "from the next watched run on"
RUNS = f"{NEXT}; runs on the machine that watches, with --allow-commands"
# What no request holds: what is added to the spec before and after, and the lines of the review.
BESIDE_THE_REQUEST = {
    "a timeout": (
        WATCHED.format(more=""),
        WATCHED.format(more=", timeout: 600"),
        [f"+ step one: timeout 600 s  ({NEXT})"],
    ),
    "a retry": (
        WATCHED.format(more=", retry: {attempts: 2}"),
        WATCHED.format(more=", retry: {attempts: 2, on: [75]}"),
        [f"~ step one: retry 2 attempts (after network, spot_loss, throttled) → 2 attempts (after exit 75)  ({NEXT})"],
    ),
    "exit codes": (
        WATCHED.format(more=", skip_on_exit: [3]"),
        WATCHED.format(more=""),
        [f"- step one: skip_on_exit 3  ({NEXT})"],
    ),
    "needs": (
        WATCHED.format(more="") + "  - {name: two, type: command, args: [b]}\n",
        WATCHED.format(more="") + "  - {name: two, type: command, args: [b], needs: [one]}\n",
        ["+ step two: needs one  (checked, and not sent)"],
    ),
    "a hook": (
        "hooks: {on_failure: [{webhook: 'https://hooks.example.com/a'}]}\n",
        "hooks: {on_failure: [{webhook: 'https://hooks.example.com/b'}], on_success: [{sns: 'arn:aws:sns:us-east-1:1:a'}]}\n",
        [
            f"~ hooks.on_failure: webhook to hooks.example.com  (another path or secret, {NEXT})",
            f"+ hooks.on_success: sns arn:aws:sns:us-east-1:1:a  ({NEXT})",
        ],
    ),
    "a command": (
        "",
        f"hooks: {{{COMMANDS}}}\n",
        [
            f"+ hooks.on_end: command ./tell.sh  ({RUNS})",
            f"+ hooks.on_end: webhook to hooks.example.com  ({NEXT})",
        ],
    ),
    "alternatives": (
        "fallback: [{market: ON_DEMAND}]\n",
        "fallback: [{market: ON_DEMAND}, {ec2_subnet_id: subnet-0b}]\n",
        ["~ fallback: market ON_DEMAND → market ON_DEMAND; ec2_subnet_id subnet-0b  (from the next launch on)"],
    ),
    "further launches": ("launch_retries: 2\n", "", ["- launch_retries: 2  (from the next launch on)"]),
    "a budget": (
        "budget: {hourly: 20}\n",
        "budget: {hourly: 90}\n",
        ["~ budget.hourly: 20 USD an hour → 90 USD an hour  (from the next plan on)"],
    ),
    "files with secrets": (
        "",
        "allow_secrets_in: [conf/a.pem]\n",
        ["+ allow_secrets_in: conf/a.pem  (staged although a secret is found in it)"],
    ),
    "an endpoint": (
        "",
        "endpoint_url: https://elsewhere.example.com\n",
        ["+ endpoint_url: https://elsewhere.example.com"],
    ),
}


@pytest.mark.parametrize("case", BESIDE_THE_REQUEST)
def test_what_no_request_holds_is_compared_too(repo, case):
    before, after, expected = BESIDE_THE_REQUEST[case]
    made = changed(repo, {"a.yaml": spec(more=before)}, {"a.yaml": spec(more=after)})
    (flow,) = made.flows
    found = [line.partition("  a.yaml:")[0] for line in lines(made) if line[:2] in {"+ ", "~ ", "- "}]
    assert (flow.status, found) == ("changed", expected)
    assert not flow.replaces


@pytest.mark.parametrize("before", [None, spec(more=WATCHED.format(more=""))], ids=["new", "changed"])
def test_a_command_of_a_hook_is_a_finding(repo, before):
    after = spec(more=f"{WATCHED.format(more=', timeout: 600')}hooks: {{{COMMANDS}}}\n")
    made = changed(repo, {"a.yaml": before} if before else {}, {"a.yaml": after})
    (found,) = (one for one in reviews.findings(made) if one.id == "FS503")
    assert (found.severity.value, found.location.line) == ("warning", 16)
    assert found.message == "a hook runs a command on the machine that watches the run: ./tell.sh"
    assert "<details open>" in reviews.as_markdown(made)
    assert "**warning** FS503" in reviews.as_markdown(made)
    assert {"+ step one: timeout 600 s", "+ hooks.on_end: command ./tell.sh"} <= {
        line.partition("  (")[0] for line in lines(made)
    }
    # It is said once: another change of the spec does not say it again.
    assert not reviews.findings(changed(repo, {}, {"a.yaml": after.replace("600", "900")}))


def test_a_webhook_that_has_no_host_is_refused(repo):
    made = changed(repo, {"a.yaml": spec()}, {"a.yaml": spec(more="hooks: {on_end: [{webhook: 'http://[a'}]}\n")})
    assert [(one.id, one.location.line) for one in reviews.findings(made)] == [("FS299", 13)]


def test_a_webhook_that_is_a_secret_without_a_value_is_shown(repo):
    hook = 'variables: {h: {type: string, sensitive: true}}\nhooks: {on_end: [{webhook: "{{ h }}"}]}\n'
    made = changed(repo, {"a.yaml": spec()}, {"a.yaml": spec(more=hook)})
    assert f"+ hooks.on_end: webhook to a host not known here  ({NEXT})  a.yaml:14" in lines(made)


def test_another_region_is_shown(repo):
    made = changed(repo, {"a.yaml": spec()}, {"a.yaml": spec().replace("us-east-1", "eu-west-1")})
    assert (
        "~ region: us-east-1 → eu-west-1  (a cluster that runs at the earlier place is left alone)  a.yaml:6"
        in lines(made)
    )


def test_a_run_replaces_nothing(repo):
    before = spec(keep_alive="false")
    made = changed(repo, {"a.yaml": before}, {"a.yaml": before.replace("7.1.0", "7.5.0")})
    assert lines(made) == ["~ release_label: emr-7.1.0 → emr-7.5.0  a.yaml:8"]
    assert not made.flows[0].replaces


def test_what_is_not_stated_any_more(repo):
    before = spec(more="log_uri: s3://a/logs/\ntags: {team: search, a: b}\n")
    made = changed(repo, {"a.yaml": before}, {"a.yaml": spec(more="tags: {team: search}\n")})
    assert lines(made) == ["- tags.a: b  (RemoveTags)", "- log_uri: s3://a/logs/  (a running cluster keeps it)"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (spec(), spec().replace("role: MASTER, type: m5.xlarge", "type: m5.xlarge, role: MASTER")),
        (spec(more="applications: [Hadoop, Spark]\n"), spec(more="applications: [Spark, hadoop]\n")),
        (spec(), f"# a comment\n{spec()}"),
    ],
)
def test_another_spelling_is_no_change(repo, before, after):
    assert changed(repo, {"a.yaml": before}, {"a.yaml": after}).flows == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("supported_products: [mapr-m3]\n", "supported_products: [mapr-m5]\n"),
        ("additional_info: '{}'\n", "additional_info: '{\"a\": 1}'\n"),
        ("", "additional_info: '{}'\n"),
    ],
)
def test_members_that_emr_never_shows(repo, before, after):
    # Products are those of the AMIs.
    then, now = (spec(more=more).replace("release_label: emr-7.1.0", "ami_version: 3.11.0") for more in (before, after))
    (flow,) = changed(repo, {"a.yaml": then}, {"a.yaml": now}).flows
    assert len(flow.changes) == 1
    assert flow.replaces


def test_steps(repo):
    def steps(*words):
        return "steps:\n" + "".join(f"  - {{name: {name}, type: command, args: [{args}]}}\n" for name, args in words)

    before = spec(more=steps(("one", "a"), ("two", "b"), ("three", "c")))
    after = spec(more=steps(("two, on_failure: CONTINUE", "b"), ("one", "a, x"), ("four", "d")))
    assert lines(changed(repo, {"a.yaml": before}, {"a.yaml": after})) == [
        "~ step two: action_on_failure CONTINUE  a.yaml:14",
        "~ step one: args a → a x  a.yaml:15",
        "> step four: command-runner.jar d  a.yaml:16",
        "- step three: command-runner.jar c",
    ]


def test_a_script_changes_the_flows_that_stage_it(repo):
    files = {"jobs/a.yaml": spec(more=STEP.format(out="o")), "jobs/b.yaml": spec("other"), "jobs/m.sh": "cat\n"}
    made = changed(repo, files, {"jobs/m.sh": "cat -n\n"})
    (flow,) = made.flows
    assert flow.path == "jobs/a.yaml"
    assert lines(made)[0].startswith("~ step one: args hadoop-streaming -files s3://acme/staging/")
    assert "(its content)" in lines(made)[1]


def test_a_local_target_shows_scripts_by_their_content(repo):
    local = "flowspec: v1\nname: a\nbackend: local\n" + STEP.format(out="o")
    made = changed(repo, {"a.yaml": local, "m.sh": "cat\n"}, {"m.sh": "cat -n\n"})
    assert [line.split(":")[0] for line in lines(made)] == ["^ file m.sh"]


def test_a_base_file_changes_what_extends_it(repo):
    files = {"base.yaml": spec("base", more="tags: {a: b}\n"), "a.yaml": "flowspec: v1\nextends: base.yaml\nname: a\n"}
    made = changed(repo, files, {"base.yaml": spec("base", more="tags: {a: c}\n")})
    assert {one.path for one in made.flows} == {"a.yaml", "base.yaml"}


def test_variable_files_are_those_of_the_revision(repo):
    from flowspec.review.review import Given

    with_variable = spec(more='variables: {team: {type: string}}\ntags: {team: "{{ team }}"}\n')
    base = repo.commit({"a.yaml": with_variable, "vars.yaml": "team: search\n"})
    repo.commit({"vars.yaml": "team: ads\n"})
    made = compare_revisions(repo.root, base, given=Given(variable_files=(repo.root / "vars.yaml",)))
    assert lines(made) == ["~ tags.team: search → ads  (AddTags)  a.yaml:14"]


def test_new_gone_and_moved_flows(repo):
    same = {"same.yaml": spec("same")}
    before = {**same, "gone.yaml": spec("gone"), "old.yaml": spec("moved", more="tags: {a: b}\n")}
    after = {
        "gone.yaml": None,
        "old.yaml": None,
        "to/new.yaml": spec("moved", more="tags: {a: c}\n"),
        "n.yaml": "flowspec: v1\nname: n\nbackend: local\n",
    }
    made = changed(repo, before, after)
    assert {(one.path, one.status, one.moved_from) for one in made.flows} == {
        ("gone.yaml", "gone", ""),
        ("to/new.yaml", "changed", "old.yaml"),
        ("n.yaml", "new", ""),
    }


def test_a_cluster_that_no_spec_manages_any_more_is_told(repo):
    before = {"a.yaml": spec("a"), "b.yaml": spec("b"), "run.yaml": spec("run", keep_alive="false")}
    made = changed(repo, before, {"a.yaml": None, "b.yaml": spec("other"), "run.yaml": None})
    told = "note: a running cluster of the flow keeps running, but no spec manages it any more; to end it: flowspec destroy"
    assert reviews.as_text(made).splitlines() == [
        "b.yaml; leaves a running cluster",
        "  ~ name: b → other  b.yaml:2",
        f"  {told} b --region us-east-1",
        "",
        "a.yaml: gone; leaves a running cluster",
        "  - flow a",
        f"  {told} a --region us-east-1",
        "  cost: 0.75 → 0.00 USD an hour",
        "",
        "run.yaml: gone",
        "  - flow run",
        "  cost: 0.75 → 0.00 USD an hour",
        "",
        f"Review since {made.base[:12]}: 2 gone, 1 changed, 2 to destroy where a cluster runs.",
    ]
    assert not any(one.replaces for one in made.flows)


def test_a_cluster_is_left_by_its_own_name(repo):
    before, after = (spec("a", more=f"api_params: {{Name: {name}}}\n") for name in ("one", "two"))
    made = changed(
        repo,
        {"a.yaml": before, "b.yaml": spec("b", more="api_params: {Name: b-1}\n")},
        {"a.yaml": after, "b.yaml": None},
    )
    assert [one.left.partition(" --")[0] for one in made.flows] == ["flowspec destroy one", "flowspec destroy b-1"]
    assert not any(one.replaces for one in made.flows)


@pytest.mark.parametrize("after", [{"a.yaml": None}, {"a.yaml": spec("other")}], ids=["gone", "renamed"])
def test_a_cluster_whose_flow_another_spec_has_now_is_not_left(repo, after):
    made = changed(repo, {"a.yaml": spec("a")}, {**after, "new.yaml": "# Written anew.\n" * 50 + spec("a", count=9)})
    assert {one.path for one in made.flows} == {"a.yaml", "new.yaml"}
    assert [one.left for one in made.flows] == ["", ""]


def test_what_is_alike_at_several_targets_is_told_once(repo):
    base = (
        spec()
        .replace("name: nightly\n", "")
        .replace("backend: emr\nregion: us-east-1\nstaging: s3://acme/staging/\n", "")
    )
    base = base.replace("true", "false") + (
        "targets:\n  dev: {default: true, backend: local}\n"
        "  prod: {backend: emr, region: us-east-1, staging: 's3://acme/staging/'}\n"
    )
    flows = {f"{name}.yaml": f"flowspec: v1\nextends: base.yaml\nname: {name}\n" for name in ("a", "b")}
    before = {"base.yaml": base, **flows}
    after = {"base.yaml": base.replace("count: 2", "count: 5"), "b.yaml": flows["b.yaml"] + "keep_alife: true\n"}
    made = changed(repo, before, after)
    text = reviews.as_text(made).splitlines()
    assert text[:5] == [
        "a.yaml on targets dev, prod",
        "  ~ instance group CORE: count 2 → 5  base.yaml:8",
        "  cost on prod: 0.75 → 1.50 USD an hour",
        "",
        "b.yaml on targets dev, prod: invalid",
    ]
    assert text[-1].endswith(": 1 changed, 1 invalid, 1 new finding.")
    assert sum("error[" in line for line in text) == len(reviews.findings(made)) == 1
    markdown = reviews.as_markdown(made)
    assert (markdown.count("<details"), markdown.count("**error**")) == (2, 1)
    assert [one["target"] for one in json.loads(reviews.as_json(made))["flows"]] == ["dev", "prod", "dev", "prod"]
    broken = changed(repo, {"b.yaml": flows["b.yaml"]}, {"base.yaml": base + " bad: [\n"})
    assert reviews.as_text(broken).splitlines()[0] == "a.yaml, b.yaml: invalid"
    assert reviews.as_text(broken).count("error[") == 1


def test_findings_are_those_that_are_new(repo):
    warned = spec(more="tags: {a: b}\n").replace("emr-7.1.0", "emr-7.5.9")
    made = changed(repo, {"a.yaml": warned}, {"a.yaml": warned.replace("{a: b}", "{a: c}")})
    assert [one.findings for one in made.flows] == [()]
    made = changed(repo, {"b.yaml": spec()}, {"b.yaml": spec().replace("emr-7.1.0", "emr-7.5.9")})
    assert [one.id for one in made.flows[0].findings] == ["FS262"]


def test_a_file_that_is_missing_is_named_by_its_path_in_the_repository(repo):
    script = "steps: [{name: s, type: script, script: ../src/load.sh}]\n"
    (flow,) = changed(repo, {"jobs/a.yaml": spec()}, {"jobs/b.yaml": spec("b", more=script)}).flows
    assert [one.notes for one in flow.findings if one.id == "FS401"] == [("looked for src/load.sh",)]


def test_a_base_file_outside_is_told_without_the_folder_of_the_revision(repo):
    (flow,) = changed(repo, {}, {"jobs/a.yaml": spec(more="extends: ../../base.yaml\n")}).flows
    assert [one.message for one in flow.findings] == ["'../../base.yaml' is not below the repository"]


def test_broken_specs_do_not_stop_the_others(repo):
    files = {f"jobs/{number}.yaml": spec(f"flow{number}") for number in range(40)}
    conflict = spec().replace(
        "keep_alive: true", "<<<<<<< HEAD\nkeep_alive: true\n=======\nkeep_alive: false\n>>>>>>> a"
    )
    after = {
        **{path: text.replace("count: 2", "count: 3") for path, text in files.items()},
        "jobs/1.yaml": conflict,
        "jobs/2.yaml": "flowspec: v1\nname: [\n",
        "jobs/3.yaml": "flowspec: v1\n",
    }
    made = changed(repo, files, after)
    assert [one.path for one in made.flows if one.status == "invalid"] == ["jobs/1.yaml", "jobs/2.yaml", "jobs/3.yaml"]
    assert sum(one.status == "changed" for one in made.flows) == 37
    assert made.flows[0].findings == ()


@pytest.mark.parametrize(
    "broken", ["flowspec: v1\nname: [\n", "flowspec: v1\n<<<<<<< HEAD\na: 1\n=======\n>>>>>>> b\n"]
)
def test_the_flows_of_a_spec_that_cannot_be_read_are_not_gone(repo, broken):
    targets = "targets:\n  dev: {default: true}\n  prod: {tags: {a: b}}\n"
    made = changed(repo, {"a.yaml": spec(more=targets)}, {"a.yaml": broken})
    assert [(one.target, one.status, len(one.findings)) for one in made.flows] == [("", "invalid", 1)]
    repaired = changed(repo, {"a.yaml": broken}, {"a.yaml": spec(more=targets)})
    assert [(one.target, one.status) for one in repaired.flows] == [("dev", "new"), ("prod", "new")]
    assert {one.notes[0] for one in repaired.flows} == {
        "the earlier revision is invalid, so that nothing can be compared"
    }
    deleted = changed(repo, {"a.yaml": broken}, {"a.yaml": None})
    assert [(one.target, one.status) for one in deleted.flows] == [("", "gone")]


def test_secrets_are_placeholders_and_values_masked(repo):
    secret = spec(more='variables: {t: {type: string, sensitive: true}}\ntags: {a: "{{ t }}", b: c}\n')
    made = changed(repo, {"a.yaml": secret}, {"a.yaml": secret.replace("b: c", "b: d")})
    assert lines(made) == ["~ tags.b: c → d  (AddTags)  a.yaml:14"]
    shown = spec(more="tags: {password: hunter22}\n")
    made = changed(repo, {"b.yaml": shown}, {"b.yaml": shown.replace("hunter22", "hunter33")})
    assert "hunter22" not in reviews.as_text(made) + reviews.as_json(made) + reviews.as_markdown(made)


def test_a_revision_that_is_not_there(repo, tmp_path):
    repo.commit({"a.yaml": spec()})
    with pytest.raises(FlowspecError, match="no commit 'nowhere'"):
        compare_revisions(repo.root, "nowhere")
    with pytest.raises(FlowspecError, match="no commit '--help'"):
        compare_revisions(repo.root, "--help")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FlowspecError, match="not a git repository"):
        compare_revisions(tmp_path / "empty", "main")


def test_a_shallow_clone_says_what_to_do(repo, tmp_path):
    base = repo.commit({"a.yaml": spec()})
    repo.commit({"a.yaml": spec(count=3)})
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.root}", str(tmp_path / "clone"))
    with pytest.raises(FlowspecError) as raised:
        compare_revisions(tmp_path / "clone", base)
    assert "fetch-depth: 0" in raised.value.remedy


def test_nothing_that_a_repository_configures_is_run(repo, tmp_path):
    base = repo.commit({"a.yaml": spec(), ".gitattributes": "*.yaml filter=evil diff=evil\n"})
    repo.commit({"a.yaml": spec(count=3)})
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    for key in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "diff.evil.command", "diff.external"):
        repo.git("config", key, str(program))
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.editor"):
        repo.git("config", key, str(program))
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        (repo.root / ".git/hooks" / hook).symlink_to(program)
    assert len(compare_revisions(repo.root, base).flows) == 1
    assert not (tmp_path / "ran").exists()


def test_names_and_links_of_strangers(repo, tmp_path):
    (tmp_path / "outside.yaml").write_text(spec("outside"))
    base = repo.commit({"a.yaml": spec()})
    for name in ("new\nline.yaml", "-rf.yaml", "::error::.yaml", "ünï.yaml", "$(x).yaml"):
        (repo.root / name).write_text(spec("odd"))
    (repo.root / "out.yaml").symlink_to("../outside.yaml")
    (repo.root / "loop.yaml").symlink_to("loop.yaml")
    (repo.root / "absolute.yaml").symlink_to(tmp_path / "outside.yaml")
    (repo.root / "fine.yaml").symlink_to("a.yaml")
    repo.commit({})
    made = compare_revisions(repo.root, base)
    assert {one.path for one in made.flows if one.status == "new"} == {
        "new\nline.yaml", "-rf.yaml", "::error::.yaml", "ünï.yaml", "$(x).yaml", "fine.yaml",
    }  # fmt: skip
    assert [note for note in made.notes if "link out of" in note] == [
        "absolute.yaml is left out: it is a link out of the repository",
        "out.yaml is left out: it is a link out of the repository",
    ]
    shown = harmless(reviews.as_text(made)) + reviews.as_markdown(made)
    assert not any(line.startswith(("line.yaml", "::error")) for line in shown.splitlines())


def test_submodules_and_large_files_are_left_out_and_noted(repo, tmp_path, monkeypatch):
    monkeypatch.setattr("flowspec.review.trees.LARGEST_FILE", 1000)
    (tmp_path / "other").mkdir()
    Repo(tmp_path / "other").commit({"b.yaml": spec("b")})
    base = repo.commit({"a.yaml": spec(), "data.bin": "x" * 2000})
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "other"), "module")
    repo.commit({"a.yaml": spec(count=3)})
    made = compare_revisions(repo.root, base)
    assert [one.path for one in made.flows] == ["a.yaml"]
    assert "module is left out: it is a submodule" in made.notes
    assert any(note.startswith("data.bin is left out") for note in made.notes)


def test_changes_that_are_not_committed_are_said(repo):
    base = repo.commit({"a.yaml": spec()})
    repo.commit({"b.yaml": spec("b")})
    (repo.root / "b.yaml").write_text(spec("b", count=7))
    assert any("not committed" in note for note in compare_revisions(repo.root, base).notes)


def test_line_ends_that_git_gives_a_checkout_are_no_changes(repo):
    base = repo.commit({".gitattributes": "*.yaml text eol=crlf\n", "a.yaml": spec()})
    repo.commit({"a.yaml": spec(count=3)})
    (repo.root / "a.yaml").unlink()
    repo.git("checkout", "-q", "a.yaml")
    assert b"\r\n" in (repo.root / "a.yaml").read_bytes()
    assert compare_revisions(repo.root, base).notes == ()
    (repo.root / "a.yaml").write_bytes(spec(count=4).replace("\n", "\r\n").encode())
    assert any("not committed" in note for note in compare_revisions(repo.root, base).notes)


def test_the_base_is_where_the_branches_parted(repo):
    repo.commit({"a.yaml": spec(), "b.yaml": spec("b")})
    repo.git("checkout", "-q", "-b", "work")
    repo.commit({"a.yaml": spec(count=3)})
    repo.git("checkout", "-q", "main")
    repo.commit({"b.yaml": spec("b", count=9)})
    repo.git("checkout", "-q", "work")
    assert [one.path for one in compare_revisions(repo.root, "main").flows] == ["a.yaml"]


def test_paths_limit_the_review(repo):
    files = {"x/a.yaml": spec("a"), "y/b.yaml": spec("b")}
    made = changed(repo, files, {path: text.replace("count: 2", "count: 3") for path, text in files.items()})
    assert len(made.flows) == 2
    assert [one.path for one in compare_revisions(repo.root, made.base, paths=["y"]).flows] == ["y/b.yaml"]


def test_a_spec_that_moved_into_a_path_or_out_of_it_is_compared_with_where_it_was(repo):
    before = {"x/a.yaml": spec("a"), "x/b.yaml": spec("b"), "x/c.yaml": spec("c")}
    after = {"x/a.yaml": None, "y/a.yaml": spec("a", count=3)}
    # Neither is a spec any more for those who look for specs.
    after |= {"x/b.yaml": None, "x/b.yaml.off": spec("b"), "x/c.yaml": None, ".old/c.yaml": spec("c")}
    made = changed(repo, before, after)
    gone = {("x/b.yaml", "gone", ""), ("x/c.yaml", "gone", "")}
    for paths, others in (([], gone), (["y"], set()), (["x"], gone), (["y/a.yaml"], set()), (["x/a.yaml"], set())):
        flows = compare_revisions(repo.root, made.base, paths=paths).flows
        found = {(one.path, one.status, one.moved_from) for one in flows}
        assert found == {("y/a.yaml", "changed", "x/a.yaml"), *others}


def test_a_path_may_be_written_otherwise_and_has_to_be_there(repo):
    files = {"x/a.yaml": spec("a"), "y/b.yaml": spec("b")}
    made = changed(repo, files, {"x/a.yaml": None, "y/b.yaml": spec("b", count=3)})
    for path in ("y/", "./y/../y", str(repo.root / "y"), "y/b.yaml"):
        assert [one.path for one in compare_revisions(repo.root, made.base, paths=[path]).flows] == ["y/b.yaml"]
    assert [one.status for one in compare_revisions(repo.root, made.base, paths=["x/a.yaml"]).flows] == ["gone"]
    for path, message in {
        "z": "neither revision has 'z'",
        "..": "not in the repository",
        "/tmp": "not in the rep",
    }.items():
        with pytest.raises(FlowspecError, match=message):
            compare_revisions(repo.root, made.base, paths=[path])


def test_other_environments_of_git_are_not_taken(repo, tmp_path, monkeypatch):
    base = repo.commit({"a.yaml": spec()})
    repo.commit({"a.yaml": spec(count=3)})
    (tmp_path / "other").mkdir()
    other = Repo(tmp_path / "other")
    other.commit({"z.yaml": spec("z")})
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")
    assert Repository.containing(repo.root).root == repo.root
    assert [one.path for one in compare_revisions(repo.root, base).flows] == ["a.yaml"]


def test_a_comment_is_never_too_long(repo):
    files = {f"{number}.yaml": spec(f"flow{number}", more=f"tags: {{a: {'x' * 200}}}\n") for number in range(300)}
    made = changed(repo, files, {path: text.replace("xxx", "yyy") for path, text in files.items()})
    shown = reviews.as_markdown(made)
    assert shown.startswith(reviews.MARKER)
    assert len(shown) < 65_536
    assert "more flows** did not fit" in shown


def test_nothing_stays_behind(repo, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    changed(repo, {"a.yaml": spec()}, {"a.yaml": spec(count=3)})
    assert list((tmp_path / "scratch").iterdir()) == []
    assert repo.git("status", "--porcelain").stdout == ""


def test_a_change_whose_cost_is_not_known(repo):
    priced = spec(keep_alive="false").replace("name:", "budget: {hourly: 1}\nname:", 1)
    made = changed(repo, {"a.yaml": priced}, {"a.yaml": priced.replace("m5.xlarge", "x9.mega")})
    lacking = "the price of x9.mega, not among the instance types known (instance group MASTER, instance group CORE)"
    remedy = "`flowspec prices update --region us-east-1` reads prices from AWS"
    assert f"note: the budget was not checked: {lacking}; {remedy}" in lines(made)
    assert f"cost: 0.75 USD an hour → not known: {lacking}; {remedy}" in lines(made)


def test_what_a_change_costs_and_a_budget_that_it_breaks(repo):
    priced = spec(keep_alive="false").replace("name:", "budget: {hourly: 1, run: 4, expected_hours: 3}\nname:", 1)
    made = changed(repo, {"a.yaml": priced}, {"a.yaml": priced.replace("count: 2", "count: 5")})
    assert "cost: 0.75 → 1.50 USD an hour, 2.26 → 4.51 USD a run" in lines(made)
    assert "- cost: 0.75 → 1.50 USD an hour, 2.26 → 4.51 USD a run" in reviews.as_markdown(made).replace("\\", "")
    assert [one.id for one in made.flows[0].findings] == ["FS620", "FS620"]
    (shown,) = json.loads(reviews.as_json(made))["flows"]
    assert shown["cost"]["before"]["hourly"]["high"] < 1 < shown["cost"]["after"]["hourly"]["high"]
    assert "cost" not in reviews.as_text(
        changed(repo, {"a.yaml": priced}, {"a.yaml": priced.replace("7.1.0", "7.5.0")})
    )


@pytest.mark.parametrize("place", ["ec2_subnet_id: subnet-0a\n", "availability_zone: us-east-1a\n"])
def test_one_subnet_or_zone_that_stays_is_no_change(repo, place):
    before = spec(more=f"description: one\n{place}")
    made = changed(repo, {"a.yaml": before}, {"a.yaml": before.replace(": one", ": two")})
    assert lines(made) == []
    moved = changed(repo, {"a.yaml": before}, {"a.yaml": before.replace("0a", "0b").replace("east-1a", "east-1b")})
    assert len(lines(moved)) == 1
    assert moved.flows[0].replaces


def test_a_requirements_file_that_another_one_includes(repo):
    step = "  - {name: one, type: streaming, mapper: cat, input: s3://a/in, output: s3://a/out}\n"
    text = spec(more=f"python: {{requirements: requirements.txt}}\nsteps:\n{step}")
    files = {"a.yaml": text, "b.yaml": spec("other"), "requirements.txt": "-r more.txt\n", "more.txt": "idna==3.9\n"}
    made = changed(repo, files, {"more.txt": "idna==3.10\n"})
    first, file = lines(made)
    assert [one.findings for one in made.flows] == [()]
    assert first.startswith("~ step one: args")
    assert re.fullmatch(r"\^ file python3\.9-x86_64\.zip: \w{12} → \w{12}  \(its content\)", file)
    unpinned = changed(repo, files, {"more.txt": "idna>=3.9\n"})
    (finding,) = unpinned.flows[0].findings
    assert (finding.id, finding.message) == ("FS617", "not pinned to one version: idna>=3.9 (more.txt:1)")
