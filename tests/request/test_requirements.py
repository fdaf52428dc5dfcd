"""Requirements files: what is understood, and what is refused with its place."""

import os

import pytest

from flowspec.request.requirements import Package, credentials, missing_packages, read_requirements
from tests.wheels import make_wheel

PYTHON_39 = {"python_version": "3.9", "python_full_version": "3.9.16", "sys_platform": "linux"}


@pytest.fixture
def read(tmp_path):
    def reading(text, **others):
        for name, content in {"requirements": text, **others}.items():
            (tmp_path / f"{name}.txt").write_text(content)
        return read_requirements(tmp_path / "requirements.txt", tmp_path)

    return reading


def texts(entries):
    return [(one.text, one.place) for one in entries]


def test_lines_comments_and_hashes(read):
    found = read(
        "# compiled\n"
        "\n"
        "idna==3.10 \\\n"
        "    --hash=sha256:bb \\\n"
        "    --hash=sha256:aa\n"
        "    # via x\n"
        "Six_Pack[a,b] >= 1 , <2 ; python_version < '3.8'  # old\n"
        "acme @ https://acme.example/acme-1.0-py3-none-any.whl#sha256=00\n"
    )
    assert found.problems == ()
    assert texts(found.entries) == [
        ("idna==3.10", "requirements.txt:3"),
        ("Six_Pack[a,b]<2,>=1", "requirements.txt:7"),
        ("acme @ https://acme.example/acme-1.0-py3-none-any.whl#sha256=00", "requirements.txt:8"),
    ]
    assert found.entries[0].hashes == ("sha256:aa", "sha256:bb")
    assert [one.applies(PYTHON_39) for one in found.entries] == [True, False, True]
    assert [one.name for one in found.unpinned] == ["six-pack"]


def test_included_files_and_constraints(read):
    found = read("-r more.txt\n-climits.txt\nidna==3.10\n", more="--pre\nsix==1.16\n", limits="numpy<2\n-r more.txt\n")
    assert texts(found.entries) == [("six==1.16", "more.txt:2"), ("idna==3.10", "requirements.txt:3")]
    assert texts(found.constraints) == [("numpy<2", "limits.txt:1"), ("six==1.16", "more.txt:2")]
    assert [path.name for path in found.files] == ["requirements.txt", "more.txt", "limits.txt"]
    assert [one.name for one in found.options] == ["--pre"]


def test_local_wheels(read, tmp_path):
    wheel = make_wheel(tmp_path / "wheels", "acme_counting")
    found = read("--no-index\n--find-links=./wheels\nacme-counting\n./wheels/acme_counting-1.0-py3-none-any.whl\n")
    assert found.problems == ()
    assert [one.name for one in found.entries] == ["acme-counting", "acme-counting"]
    assert found.wheels == (wheel,)
    # The folder tells the version.
    assert found.unpinned == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-e ./counting", "-e is not possible: only wheels are packed"),
        ("--editable=.", "--editable is not possible"),
        ("--no-binary :all:", "--no-binary is not possible"),
        ("./counting", "'./counting' would have to be built"),
        ("file:///counting-1.0.tar.gz", "would have to be built"),
        ("acme-1.0.whl", "there is no file 'acme-1.0.whl'"),
        ("git+https://acme.example/x.git", "does not name a package"),
        ("acme @ https://acme.example/acme-1.0.tar.gz", "is not a wheel"),
        ("acme @ git+https://u:hunter2@acme.example/x.git", "'git+https://***@acme.example/x.git' is not a wheel"),
        ("acme==1.0==", "is not a requirement: "),
        ("acme==1.0; os_name ~= 'x'", "is not a requirement: Undefined"),
        ("acme==1.0; 'x' in extras", "is not a requirement: 'extras'"),
        ("acme --config-settings=x", "does not name a package"),
        ("--index-url https://${USER}:${TOKEN}@acme.example/", "${USER} is not replaced"),
        ("--index-url", "--index-url has no value"),
        ("--process-dependency-links", "the option --process-dependency-links is not known here"),
        ("--find-links ./nowhere", "there is no folder './nowhere'"),
        ("--find-links 'x", "--find-links: no closing quotation"),
        ("-r https://acme.example/r.txt", "is not a local file"),
        ("./a\0-1-py3-none-any.whl", "is not a local file"),
        ("-r gone.txt", "gone.txt can't be read: no such file or directory"),
        ("-r requirements.txt", "requirements.txt includes itself"),
        ("-r ../{folder}/requirements.txt", "includes itself"),
        ("-r loop", "loop can't be read: too many levels"),
        ("-r pipe", "pipe can't be read: not a regular file"),
        ("idna" + "x" * 5_000, "more than 4,000 characters"),
        ("idna @ file:///tmp/idna-3.10-py3-none-any.whl", "a file: URL"),
        ("--find-links file:///tmp", "a file: URL"),
    ],
)
def test_what_is_refused(read, tmp_path, line, message):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    line = line.replace("{folder}", tmp_path.name)
    (problem,) = read(f"# first\n{line}\nidna==3.10\n").problems
    assert problem.message.startswith("requirements.txt:2: ")
    assert message in problem.message
    assert (problem.id, "hunter2" in str(problem)) == ("FS282", False)


def test_files_that_include_many_are_bounded(read):
    pairs = {f"f{at}": f"-r f{at + 1}.txt\n" * 2 for at in range(40)}
    chain = {f"c{at}": f"-r c{at + 1}.txt\n" for at in range(200)}
    for text, others in (("-r f0.txt", pairs), ("-r c0.txt", chain)):
        problems = read(f"{text}\n", **others, f40="idna==3.10\n", c200="idna==3.10\n").problems
        assert "100 files are included already" in problems[0].message
        assert len(problems) <= 20


def test_runs_of_spaces_take_no_time(read):
    # A search that begins at each space takes minutes.
    assert read(f"idna==3.10{' ' * 300_000}\\\n{' ' * 300_000}x\n").problems


def test_the_disk_is_asked_once_for_a_file_and_not_for_each_line(read, monkeypatch):
    asked = []
    monkeypatch.setattr("os.path.realpath", lambda path, real=os.path.realpath: asked.append(path) or real(path))
    found = read("\n".join(f"package-{number}==1.{number}" for number in range(50)))
    assert (len(found.entries), len(asked)) == (50, 1)
    assert found.entries[-1].place == "requirements.txt:50"


def test_a_file_of_something_else_is_not_quoted_whole(read):
    assert len(read("not a requirement\n" * 1_000).problems) == 20


@pytest.mark.parametrize("line", ["-r ../other.txt", "--find-links ..", "../acme-1.0-py3-none-any.whl"])
def test_what_is_outside_of_the_tree(read, tmp_path, line):
    make_wheel(tmp_path.parent, "acme")
    (problem,) = read(f"{line}\n").problems
    assert problem.id == "FS407"
    assert "outside of the spec's folder tree" in problem.message


def test_credentials():
    assert set(credentials("https://__token__:hunter2@a/ http://key@b/ https://c/")) == {
        "__token__:hunter2",
        "hunter2",
        "key",
    }


def test_packages_that_are_missing_in_another_python():
    roots = read_lines("app[fast]; python_version > '4'")
    app = Package.of(
        "App", "1.0", ["Old_Lib; python_version < '3.10'", "new; python_version >= '3.10'", "speed>2; extra == 'fast'"]
    )
    speed = Package.of("speed", "1.0", [])
    new = Package.of("new", "1.0", [])
    packages = {one.name: one for one in (app, speed, new)}
    assert missing_packages(roots, packages, PYTHON_39) == (["Old_Lib", "speed>2"], {"app"})
    packages |= {"old-lib": Package.of("old_lib", "3", ["app"]), "speed": Package.of("speed", "3.0", [])}
    assert missing_packages(roots, packages, PYTHON_39) == ([], {"app", "old-lib", "speed"})


def read_lines(*lines):
    from packaging.requirements import Requirement

    return [Requirement(one) for one in lines]
