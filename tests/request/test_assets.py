"""Local files of a spec: directories, base files in other folders, secrets."""

import hashlib
import zipfile

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.plan.compare import make_plan
from flowspec.report.plans import as_text
from flowspec.request.compile import compile

HEAD = "flowspec: v1\nname: x\nmaster_instance_type: m5.xlarge\nrelease_label: emr-7.5.0\n"
EMR = HEAD + "staging: s3://acme/staging\n"
LOCAL = HEAD + "backend: local\n"
STREAMING = "steps: [{name: s, type: streaming, mapper: lib/run.sh, archives: [lib], input: in, output: out}]\n"
KEY = "-----BEGIN " + "PRIVATE KEY-----\n"


@pytest.fixture
def write(tmp_path):
    def make(**contents):
        for name, text in contents.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


@pytest.fixture
def flow(tmp_path):
    def make(text, at="job.yaml"):
        path = tmp_path / at
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return validate(render(load(path), environ={}), emr_rules=False)

    return make


def args(request, step=0):
    return request.params["Steps"][step]["HadoopJarStep"]["Args"]


def test_a_directory_is_packed_where_an_archive_is_wanted(flow, write):
    write(lib__run_dot_sh="cat", lib__words_dot_txt="a")
    request = compile(flow(EMR + STREAMING))
    (asset,) = request.assets
    content = b"".join(asset.content())
    assert asset.sha256 == hashlib.sha256(content).hexdigest()
    assert (asset.name, asset.size) == ("lib.zip", len(content))
    assert asset.uri == f"s3://acme/staging/{asset.sha256}/lib.zip"
    assert args(request)[1:5] == ["-archives", f"{asset.uri}#lib", "-mapper", "lib/run.sh"]


def test_its_size_and_files_are_in_the_plan(flow, write):
    write(lib__run_dot_sh="cat\n" * 1000)
    jobflow = flow(EMR + STREAMING)
    assert "^ lib.zip: s3://acme/staging/" in as_text(make_plan(jobflow, compile(jobflow)))
    assert "(4.1 kB, 1 file of lib/)" in as_text(make_plan(jobflow, compile(jobflow)))


def test_its_content_is_what_the_digest_is_of(flow, write, tmp_path):
    write(lib__run_dot_sh="cat", lib__x_dot_pyc="1")
    for text in (EMR, LOCAL):
        before = compile(flow(text + STREAMING)).digest
        write(lib__x_dot_pyc="2")
        assert compile(flow(text + STREAMING)).digest == before
        write(lib__run_dot_sh="cat " + text)
        assert compile(flow(text + STREAMING)).digest != before


def test_on_this_machine_a_directory_is_used_in_place(flow, write, tmp_path):
    write(lib__run_dot_sh="cat")
    request = compile(flow(LOCAL + STREAMING))
    assert args(request)[1:3] == ["-archives", f"{tmp_path}/lib#lib"]


def test_python_files_are_packed_too(flow, write):
    write(src__acme____init___dot_py="", main_dot_py="")
    request = compile(
        flow(EMR + "steps: [{name: s, type: spark, application: main.py, py_files: [src], archives: ['src#env']}]")
    )
    packed = next(asset for asset in request.assets if asset.name == "src.zip")
    assert args(request)[1:5] == ["--py-files", packed.uri, "--archives", f"{packed.uri}#env"]


@pytest.mark.parametrize(
    "step",
    [
        "type: streaming, mapper: cat, files: [lib], input: i, output: o",
        "type: streaming, mapper: lib/, input: i, output: o",
        "type: jar, jar: lib",
    ],
)
def test_where_a_file_is_wanted_a_directory_is_refused(flow, write, step):
    write(lib__a="")
    with pytest.raises(SpecError, match="is a directory, not a file"):
        compile(flow(EMR + f"steps: [{{name: s, {step}}}]"))


def test_what_can_not_be_packed_is_said(flow, write, tmp_path):
    write(lib__a="")
    (tmp_path / "lib" / "up").symlink_to(tmp_path / "lib")
    with pytest.raises(SpecError, match="'lib' can't be packed: the link up leads back") as caught:
        compile(flow(EMR + STREAMING))
    assert caught.value.diagnostics[0].hint == "leave it out by a .flowspecignore"
    (tmp_path / ".flowspecignore").write_text("lib/up")
    assert len(compile(flow(EMR + STREAMING)).assets) == 1


def test_files_named_in_a_base_file_are_beside_it(flow, write, tmp_path):
    (tmp_path / ".git").mkdir()
    write(common__m_dot_py="1", common__b_dot_sh="1", jobs__b_dot_sh="2", common__tool="1")
    base = LOCAL + (
        "bootstrap_actions: [{name: b, path: b.sh}]\n"
        "steps: [{name: s, type: streaming, mapper: m.py, reducer: tool, input: [in], output: out}]\n"
    )
    (tmp_path / "common" / "base.yaml").write_text(base)
    top = "extends: ../common/base.yaml\nname: top\nbootstrap_actions: [{name: c, path: b.sh}]\nsteps: [{name: s, output: o2}]\n"
    request = compile(flow(top, "jobs/job.yaml"))
    assert sorted(asset.path.relative_to(tmp_path).as_posix() for asset in request.assets) == [
        "common/b.sh", "common/m.py", "common/tool", "jobs/b.sh",
    ]  # fmt: skip
    words = args(request)
    assert words[words.index("-input") + 1] == f"{tmp_path}/common/in"
    assert words[words.index("-output") + 1] == f"{tmp_path}/jobs/o2"


def test_secrets_are_not_staged(flow, write):
    write(m_dot_py="#!/usr/bin/env python3\n" + KEY, lib__deep__key="x\n\n" + KEY, lib__run_dot_sh="")
    text = "steps: [{name: s, type: streaming, mapper: m.py, archives: [lib], input: in, output: out}]\n"
    with pytest.raises(SpecError) as caught:
        compile(flow(EMR + text))
    assert [(one.id, one.message, one.notes) for one in caught.value.diagnostics] == [
        ("FS406", "'m.py' holds a private key, in line 2", ("allow_secrets_in: [m.py] allows it",)),
        ("FS406", "'lib/deep/key' holds a private key, in line 3", ("allow_secrets_in: [lib/deep/key] allows it",)),
    ]
    assert len(compile(flow(EMR + "allow_secrets_in: [m.py, ./lib/deep/key]\n" + text)).assets) == 2


def test_what_stays_on_this_machine_may_hold_secrets(flow, write):
    write(m_dot_py=KEY)
    text = "steps: [{name: s, type: streaming, mapper: m.py, input: in, output: out}]\n"
    assert compile(flow(LOCAL + text)).assets


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m_dot_py", "import x\n", "'m.py' does not begin with `#!`, so that it is run by sh"),
        ("m_dot_rb", "puts 1\n", "'m.rb' does not begin with `#!`, so that it is run by sh"),
        ("m_dot_sh", "cat\n", ""),
        (
            "m_dot_py",
            "\ufeff#!/usr/bin/env python3\nimport x\n",
            "'m.py' has a byte order mark before its `#!`, so that it is run by sh",
        ),
        ("m_dot_py", "", ""),
        ("m_dot_py", "#!/usr/bin/env python3\nimport x\n", ""),
        (
            "m_dot_sh",
            "#!/bin/sh\r\ncat\r\n",
            "the first line of 'm.sh' ends with CR LF: Linux treats CR as a part of the interpreter's name",
        ),
    ],
)
@pytest.mark.parametrize("head", [EMR, LOCAL])
def test_a_program_is_run_by_what_its_first_line_names(flow, write, tmp_path, head, name, text, message):
    write(**{name: ""})
    file = name.replace("_dot_", ".")
    (tmp_path / file).write_bytes(text.encode())
    step = "steps: [{name: s, type: streaming, mapper: %s, input: in, output: out}]\n"
    assert [one.message for one in compile(flow(head + step % file)).warnings if one.id == "FS288"] == [message] * (
        message != ""
    )
    with_interpreter = step % f"perl {file}, files: [{file}]"
    assert "FS288" not in {one.id for one in compile(flow(head + with_interpreter)).warnings}


def test_big_files_are_hashed_in_blocks(flow, tmp_path):
    import tracemalloc

    with (tmp_path / "big.jar").open("wb") as file:
        file.truncate(60_000_000)
    jobflow = flow(EMR + "steps: [{name: s, type: jar, jar: big.jar}]")
    compile(jobflow)
    tracemalloc.start()
    (asset,) = compile(jobflow).assets
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asset.size == 60_000_000
    assert peak < 8_000_000


def test_an_archive_can_be_read(flow, write, tmp_path):
    write(lib__run_dot_sh="cat")
    (asset,) = compile(flow(EMR + STREAMING)).assets
    (tmp_path / "x.zip").write_bytes(b"".join(asset.content()))
    with zipfile.ZipFile(tmp_path / "x.zip") as read:
        assert read.namelist() == ["run.sh"]


def test_a_link_out_of_the_repository_is_not_packed(flow, write, tmp_path):
    write(repo__lib__run_dot_sh="cat", outside__key="k")
    (tmp_path / "repo" / ".git").mkdir()
    (tmp_path / "repo" / "lib" / "key").symlink_to(tmp_path / "outside" / "key")
    with pytest.raises(SpecError, match="'lib' can't be packed: the link key in it leads to") as caught:
        compile(flow(EMR + STREAMING, at="repo/job.yaml"))
    (found,) = caught.value.diagnostics
    assert (found.id, found.location.line, found.hint) == ("FS407", 6, "leave it out by a .flowspecignore")
    # Nothing is uploaded from here.
    assert compile(flow(LOCAL + STREAMING, at="repo/job.yaml"))


@pytest.mark.parametrize("name", [".git/run.sh", "linked.sh"])
def test_nothing_of_git_is_uploaded(flow, write, tmp_path, name):
    write(repo___dot_git__run_dot_sh="cat")
    (tmp_path / "repo" / "linked.sh").symlink_to(".git/run.sh")
    step = f"steps: [{{name: s, type: streaming, mapper: {name}, input: s3://a/i, output: s3://a/o}}]\n"
    with pytest.raises(SpecError, match=r"or in its \.git") as caught:
        compile(flow(EMR + step, at="repo/job.yaml"))
    assert {one.id for one in caught.value.diagnostics} == {"FS407"}
