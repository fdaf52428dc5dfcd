"""The pages of `flowspec explain`: there is one for each id, and its examples do what they say.

A block whose first line is `# NAME` is that file; the other YAML block is job.yaml. What has no bearing
is left out of it and put in here: the head, a release, instances. A spec that begins with `flowspec:` is
whole. Console blocks are run; without one, job.yaml is validated.
"""

import json
import re
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from flowspec.cli import root
from flowspec.cli.exits import Exit
from flowspec.document.catalog import CATALOG
from flowspec.document.pages import page

# What no spec can be made to give: nothing in the schema does, or (FS403) not for root, or (FS616) no package is there.
WITHOUT_EXAMPLES = {"FS100", "FS108", "FS279", "FS403", "FS502", "FS503", "FS616"}
HEAD = {
    "flowspec": "flowspec: v1\n",
    "name": "name: example\n",
    "service_role|backend: local": "service_role: EMR_DefaultRole\n",
    "job_flow_role|backend: local": "job_flow_role: EMR_EC2_DefaultRole\n",
    "release_label|ami_version|backend: local": "release_label: emr-7.5.0\n",
    "instance_groups|instance_fleets|(master|slave)_instance_type|num_instances|backend: local": (
        "master_instance_type: m5.xlarge\n"
    ),
}


def example(id_, kind):
    """The code blocks under a heading of a page: [(language, text)]."""
    section = page(id_).split(f"\n## {kind}\n", 1)[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def whole(spec):
    if spec.startswith("flowspec:"):
        return spec
    missing = [line for keys, line in HEAD.items() if not re.search(rf"^({keys})\b", spec, re.MULTILINE)]
    return "".join(missing) + spec


def findings(id_, kind, folder, monkeypatch):
    """The ids that an example gives, run in a folder of its own."""
    monkeypatch.chdir(folder)
    (folder / "job.yaml").write_text(whole(""))
    commands = ["flowspec validate job.yaml"]
    for language, text in example(id_, kind):
        named = re.match(r"# (\S.*)\n", text)
        if language == "console":
            commands = [line.removeprefix("$ ") for line in text.splitlines()]
        elif named:
            (folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / named[1]).write_text(text[named.end() :])
        else:
            (folder / "job.yaml").write_text(whole(text))
    shown = "".join(run(command, folder) for command in commands)
    return set(re.findall(r"^(?:error|warning)\[(FS\d+)\]", shown, re.MULTILINE))


def run(command, folder):
    if not command.startswith("flowspec "):
        script = command.replace("python3", shlex.quote(sys.executable))
        subprocess.run(["sh", "-c", script], cwd=folder, check=True)
        return ""
    done = CliRunner().invoke(root, shlex.split(command)[1:], standalone_mode=False)
    if done.exception is not None:
        from flowspec.report.diagnostics import as_text

        return as_text(done.exception.diagnostics)
    return done.output


def test_every_id_has_its_page_and_every_page_its_id():
    from pathlib import Path

    import flowspec.document.pages

    assert {path.stem for path in Path(flowspec.document.pages.__file__).parent.glob("*.md")} == set(CATALOG)


@pytest.mark.parametrize("id_", CATALOG)
def test_a_page_begins_with_its_title_and_says_something(id_):
    first, _, rest = page(id_).partition("\n\n")
    assert first == f"# {id_}: {CATALOG[id_].title}"
    assert len(rest.split("\n\n")[0]) > 40
    assert ("## Wrong" in rest and "## Right" in rest) == (id_ not in WITHOUT_EXAMPLES)


def test_pages_fit_a_screen():
    assert [id_ for id_ in CATALOG if any(len(line) > 124 for line in page(id_).splitlines())] == []


@pytest.mark.parametrize("id_", [id_ for id_ in CATALOG if id_ not in WITHOUT_EXAMPLES])
def test_the_wrong_example_gives_exactly_this_finding(id_, tmp_path, monkeypatch):
    assert findings(id_, "Wrong", tmp_path, monkeypatch) == {id_}


@pytest.mark.parametrize("id_", [id_ for id_ in CATALOG if id_ not in WITHOUT_EXAMPLES])
def test_the_right_example_gives_no_finding(id_, tmp_path, monkeypatch):
    assert findings(id_, "Right", tmp_path, monkeypatch) == set()


def test_explain_lists_every_id_and_shows_pages():
    listed = CliRunner().invoke(root, ["explain"]).output
    assert re.findall(r"^  (FS\d+)", listed, re.MULTILINE) == sorted(CATALOG)
    assert CliRunner().invoke(root, ["explain", "fs204"]).output == page("FS204")
    assert CliRunner().invoke(root, ["explain", "FS201", "FS202"]).output == f"{page('FS201')}\n{page('FS202')}"


def test_explain_as_json():
    shown = json.loads(
        CliRunner().invoke(root, ["explain", "fs204", "steps.streaming.mapper", "--format", "json"]).output
    )
    assert [(one["id"], one["title"]) for one in shown] == [
        ("FS204", "a bid price for on-demand instances"),
        ("steps.streaming.mapper", ""),
    ]
    assert shown[0]["sections"].keys() == {"wrong", "right"}
    assert shown[0]["sections"]["wrong"].startswith("```yaml\ninstance_groups:")
    assert shown[0]["text"].startswith("A bid price is the most")
    assert "example" in shown[1]["sections"]
    listed = json.loads(CliRunner().invoke(root, ["explain", "--format", "json"]).output)
    assert [one["id"] for one in listed["findings"]] == sorted(CATALOG)
    assert listed["fields"][:3] == ["flowspec", "requires", "name"]


def test_explain_lists_the_findings_in_parts_that_have_a_heading():
    parts = CliRunner().invoke(root, ["explain"]).output.split("\n\n")
    assert [part for part in parts if not re.match(r"\w[^\n]*\n  \w", part)] == []


def test_explain_without_a_word_lists_the_fields():
    listed = CliRunner().invoke(root, ["explain"]).output
    assert listed.partition("\nThe fields of a spec\n")[2].split()[:3] == ["flowspec", "requires", "name"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("bogus", "the spec has no field bogus\n  `flowspec explain` lists its fields"),
        ("steps.streaming.maper", "steps.streaming has no field maper\n  did you mean mapper?"),
        ("F204", "there is no finding F204\n  did you mean FS204, "),
        ("fs999", "there is no finding fs999\n  did you mean FS299, "),
        ("b" * 5000, f"the spec has no field {'b' * 60}…\n  `"),
    ],
)
def test_explain_of_something_else_says_what_there_is(words, error, capsys):
    from flowspec.cli import run as main

    assert main(["explain", *words.split()]) == Exit.USAGE
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {error}")
    # Nothing of the usage, and no page of the words that are known.
    assert (shown.out, shown.err.count("\n")) == ("", 2)


def test_explain_tells_of_each_unknown_word_by_itself(capsys):
    from flowspec.cli import run as main

    assert main(["explain", "FS204", "templatse", "bogus"]) == Exit.USAGE
    assert capsys.readouterr() == (
        "",
        "error: there is no page templatse\n  did you mean templates?\n"
        "error: the spec has no field bogus\n  `flowspec explain` lists its fields\n",
    )


def test_on_a_terminal_a_page_has_no_fences():
    from flowspec.cli.commands.explain import painted

    shown = painted(page("FS204"))
    assert "```" not in shown
    assert "\x1b[1mWrong\x1b[0m\n\n    instance_groups:\n      - {role: MASTER" in shown
