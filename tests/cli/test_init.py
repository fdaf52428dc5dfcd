"""`flowspec init`: what it asks, what it writes, and that it overwrites nothing."""

import json
import os
import pty
import select
import subprocess
import sys

import pytest


def test_it_lists_what_it_wrote_and_the_next_commands(flowspec, tmp_path):
    done = flowspec("init", "words", "--template", "streaming")
    assert done.code == 0
    wrote, _, after = done.out.partition("\nnext:\n")
    files = [line.removeprefix("wrote ") for line in wrote.splitlines()]
    assert sorted(files) == sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert after.splitlines()[0] == "  cd words"
    assert "  flowspec apply job.yaml" in after.splitlines()
    assert "put a bucket of yours in place of amzn-s3-demo-bucket" in done.err
    assert "\nname: words\n" in (tmp_path / "words/job.yaml").read_text()
    assert (tmp_path / "words/mapper.py").stat().st_mode & 0o100


def test_what_a_template_needs_comes_first(flowspec, monkeypatch):
    monkeypatch.setattr("flowspec.engines.jvm.find_spark", lambda: None)
    assert (
        "\nnext:\n  cd sums\n  pip install pyspark\n  flowspec validate"
        in flowspec("init", "sums", "--template", "spark").out
    )


def test_json(flowspec):
    done = flowspec("init", "--template", "gitops", "--bucket", "our-bucket", "--name", "x", "--format", "json")
    document = json.loads(done.out)
    assert {"jobs/base.yaml", ".github/workflows/flowspec.yml"} <= set(document["files"])
    assert document["next"][0].startswith("flowspec validate")
    assert not done.err


@pytest.mark.parametrize(
    "argv", [("validate", "--all-targets"), ("plan", "--offline", "--target", "prod")], ids=" ".join
)
def test_its_folder_of_flows_can_be_given_as_a_whole(flowspec, argv):
    """The base file of the flows lies beside them."""
    flowspec("init", "--template", "gitops")
    done = flowspec(*argv, "jobs")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("there", ["mapper.py", "tests", "input/sample.txt"])
def test_nothing_is_overwritten(flowspec, tmp_path, there):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    done = flowspec("init", "--template", "streaming")
    # As `import -o` on a file that is there.
    assert done.code == 2
    assert there in done.err
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


@pytest.mark.parametrize(("link", "to"), [("first", "first"), ("first", "nothing"), ("first/tests", "nothing")])
def test_a_link_that_leads_to_no_folder_is_named(flowspec, tmp_path, link, to):
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(to)
    done = flowspec("init", "first", "--template", "streaming")
    assert (done.code, f"first has {link} already" in done.err) == (2, True)
    assert [*tmp_path.rglob("job.yaml")] == []


def test_a_link_that_leads_nowhere_is_not_written_through(flowspec, tmp_path):
    (tmp_path / "job.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert flowspec("init", "--template", "streaming").code == 2
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.mark.parametrize(
    "wrong",
    [["--name", "a: b"], ["--name", "null"], ["--region", "moon"], ["--bucket", "My_Bucket"], ["--template", "hive"]],
)
def test_a_wrong_value_is_a_usage_error_and_nothing_is_written(flowspec, tmp_path, wrong):
    done = flowspec("init", "--template", "streaming", *wrong)
    assert done.code == 2
    assert wrong[0] in done.err
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_the_templates_are_listed(flowspec):
    done = flowspec("init")
    assert done.code == 2
    assert "long-lived  a cluster that keeps running" in done.err


def test_a_folder_whose_name_is_no_name_of_a_flow(flowspec, tmp_path):
    flowspec("init", "2026 jobs!", "--template", "streaming")
    assert "\nname: jobs\n" in (tmp_path / "2026 jobs!/job.yaml").read_text()


def test_a_terminal_is_asked_what_no_option_says(tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowspec", "init", "new", "--region", "eu-west-1"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    for question, answer in (
        (b"Template", b"spark"),
        (b"Name of the flow [new]:", b"a b"),
        (b"Name", b"takings"),
        (b"S3 bucket", b"our-bucket"),
    ):
        start = len(shown)
        while question not in shown[start:] or not shown.endswith(b": "):
            assert select.select([ours], [], [], 60)[0], shown
            shown += os.read(ours, 65536)
        os.write(ours, answer + b"\n")
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        # EIO: the process has closed its end.
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    text = (tmp_path / "new/job.yaml").read_text()
    assert "\nname: takings\n" in text
    assert "region: eu-west-1" in text
    assert "s3://our-bucket/" in text
    assert b"is not allowed: give a letter, and then at most 99 letters" in shown
