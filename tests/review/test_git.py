"""Changed paths, read from git: any file name, no hook, no network, and shallow clones are told."""

import os
import shlex
import shutil
import subprocess

import pytest

from flowspec.errors import FlowspecError, NothingFound
from flowspec.review.git import Repository


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty repository with a `git(...)` that runs in it, and `commit(name=text …)`."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "x")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.com")
    return Made(tmp_path / "repository")


class Made:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("first", "1\n")
        self.first = self.commit()

    def git(self, *words, **options):
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            **options,
        )
        return done.stdout.strip()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def changed(self, base):
        found = Repository.containing(self.folder)
        return found.changed_paths(found.merge_base(found.commit(base), found.commit("HEAD")))


def test_commits_edits_and_new_files_count(repository):
    repository.git("checkout", "-q", "-b", "mine")
    repository.write("committed", "x")
    repository.commit()
    repository.write("first", "edited")
    repository.write("folder/untracked", "x")
    repository.write("folder/built", "x")
    repository.write(".gitignore", "built\n")
    assert repository.changed("main") == (".gitignore", "committed", "first", "folder/untracked")


def test_only_what_is_new_since_the_branches_parted(repository):
    repository.git("checkout", "-q", "-b", "mine")
    repository.write("mine", "x")
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.write("theirs", "x")
    repository.commit()
    repository.git("checkout", "-q", "mine")
    assert repository.changed("main") == ("mine",)


def test_renamed_and_removed_files_count_under_each_name(repository):
    repository.git("mv", "first", "second")
    assert repository.changed("HEAD") == ("first", "second")


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a\tb", '"a"', "ä", "-rf", "--output=x", ":(glob)*", "a\udcffb", "\x1b[31m"]
)
def test_any_file_name(repository, name):
    repository.write(name, "x")
    assert repository.changed("main") == (name,)
    repository.commit()
    assert repository.changed(repository.first) == (name,)


def test_nothing_of_the_repository_is_run(repository, tmp_path):
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    for hook in ("post-index-change", "post-checkout", "reference-transaction"):
        (repository.folder / ".git/hooks" / hook).symlink_to(script)
    repository.git("config", "core.fsmonitor", str(script))
    repository.git("config", "diff.external", str(script))
    repository.git("config", "diff.mine.command", str(script))
    repository.git("config", "diff.mine.textconv", str(script))
    repository.git("config", "core.pager", str(script))
    repository.write(".gitattributes", "* diff=mine\n")
    repository.write("first", "2\n")
    os.utime(repository.folder / "first", (1, 1))
    (tmp_path / "ran").unlink(missing_ok=True)
    assert repository.changed("main") == (".gitattributes", "first")
    assert not (tmp_path / "ran").exists()


LOOK = "git branch --all lists the branches, git log the commits"


@pytest.mark.parametrize(
    ("revision", "remote", "remedy"),
    [
        ("nowhere", "origin", "git fetch origin nowhere"),
        ("nowhere", "", LOOK),
        *((revision, "origin", LOOK) for revision in ("", "origin/", "HEAD~9", "--output")),
    ],
)
def test_a_base_that_does_not_exist_is_fetched_where_a_remote_may_have_it(repository, revision, remote, remedy):
    if remote:
        repository.git("remote", "add", remote, "https://example.com/x")
    with pytest.raises(NothingFound, match=f"there is no commit '{revision}'") as raised:
        repository.changed(revision)
    assert raised.value.remedy == remedy


def test_a_repository_without_a_commit(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(NothingFound, match="there is no commit 'HEAD'") as raised:
        Repository.containing(tmp_path).commit("HEAD")
    assert raised.value.remedy == "nothing is committed here yet: git commit, or git switch to a branch"


def test_a_branch_of_a_remote_is_fetched_from_it(repository):
    repository.git("remote", "add", "upstream", "https://example.com/x")
    for revision, fetched in (
        ("upstream/release/1", "upstream +refs/heads/release/1:refs/remotes/upstream/release/1"),
        ("origin/main", "origin +refs/heads/main:refs/remotes/origin/main"),
    ):
        with pytest.raises(NothingFound) as raised:
            repository.changed(revision)
        assert raised.value.remedy == f"git fetch {fetched}"


@pytest.mark.parametrize("options", [["--single-branch"], ["--depth", "1"]], ids=" ".join)
def test_the_command_that_fetches_a_base_makes_it_known(repository, tmp_path, options):
    repository.git("checkout", "-q", "-b", "mine")
    repository.write("mine", "x")
    repository.commit()
    url = f"file://{repository.folder}"
    subprocess.run(["git", "clone", "-q", *options, "-b", "mine", url, tmp_path / "clone"], check=True)
    clone = Repository.containing(tmp_path / "clone")
    with pytest.raises(NothingFound) as raised:
        clone.commit("origin/main")
    command = raised.value.remedy.removeprefix("the clone is shallow: ").partition(", or")[0]
    subprocess.run(shlex.split(command), cwd=clone.root, check=True)
    assert clone.changed_paths(clone.merge_base(clone.commit("origin/main"), clone.commit("HEAD"))) == ("mine",)
    with pytest.raises(NothingFound) as raised:
        clone.commit("main")
    assert raised.value.remedy == "use origin/main"


def test_a_base_that_is_an_option_is_none(repository, tmp_path):
    with pytest.raises(FlowspecError, match="there is no commit '--output"):
        repository.changed(f"--output={tmp_path}/x")
    assert not (tmp_path / "x").exists()


def test_a_shallow_clone_is_told(repository, tmp_path):
    repository.write("second", "2")
    repository.commit()
    repository.git("clone", "-q", "--depth", "1", repository.folder.as_uri(), str(tmp_path / "shallow"))
    shallow = Repository.containing(tmp_path / "shallow")
    with pytest.raises(FlowspecError, match="there is no commit") as raised:
        shallow.commit(repository.first)
    assert "the clone is shallow" in raised.value.remedy
    assert shallow.merge_base("HEAD", "HEAD") == shallow.commit("HEAD")


def test_histories_without_a_common_commit(repository):
    repository.git("checkout", "-q", "--orphan", "other")
    repository.write("first", "another")
    repository.commit()
    with pytest.raises(FlowspecError, match="no commit in common"):
        repository.changed("main")


def test_a_submodule_is_one_path(repository, tmp_path):
    inner = Made(tmp_path / "inner")
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "sub")
    assert repository.changed("main") == (".gitmodules", "sub")


def test_a_hooks_environment_names_no_other_repository(repository, tmp_path, monkeypatch):
    other = Made(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.folder / ".git/index"))
    assert Repository.containing(repository.folder).root == repository.folder.resolve()


def test_a_folder_that_is_in_none(tmp_path):
    with pytest.raises(FlowspecError, match="not a git repository"):
        Repository.containing(tmp_path)


def test_a_folder_whose_name_is_no_text(tmp_path):
    made = Made(tmp_path / os.fsdecode(b"\xff\n"))
    assert Repository.containing(made.folder).root == made.folder


def test_a_repository_of_another_owner(repository, tmp_path, monkeypatch):
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(FlowspecError, match=r"detected dubious ownership in repository at [^\n]+\Z") as raised:
        Repository.containing(repository.folder)
    assert raised.value.remedy.startswith("if you trust it: git config --global --add safe.directory ")


def test_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlowspecError, match="there is no git on PATH") as raised:
        Repository.containing(tmp_path)
    assert raised.value.remedy.startswith("install git")
