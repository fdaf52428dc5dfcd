"""Repositories that are broken, cut short, or made by somebody to do harm: all is reported, the rest still reviewed."""

import os
import stat
import subprocess

import pytest

from flowspec.document.escaping import harmless
from flowspec.errors import FlowspecError
from flowspec.report import reviews
from flowspec.review import review
from flowspec.review.review import compare_revisions
from flowspec.review.trees import Trees
from tests.review.conftest import spec


@pytest.fixture
def ready(repo):
    """Two commits, of which the second changes a flow; `repo.review()` compares them."""
    repo.base = repo.commit({"a.yaml": spec()})
    repo.commit({"a.yaml": spec(count=3)})
    repo.review = lambda **options: compare_revisions(repo.root, repo.base, **options)
    return repo


def made_by_hand(repo, *entries):
    """A commit whose tree no checkout of git would write; entries are (mode, type, object, name)."""
    lines = "".join(f"{mode} {kind} {oid}\t{name}\0" for mode, kind, oid, name in entries)
    tree = subprocess.run(
        ["git", "mktree", "-z"], cwd=repo.root, input=lines.encode(), capture_output=True, check=True
    ).stdout.decode()
    return repo.git("commit-tree", tree.strip(), "-p", repo.base, "-m", "by hand").stdout.strip()


def object_of(repo, name):
    return repo.git("rev-parse", name).stdout.strip()


def blob(repo, content):
    command = ["git", "hash-object", "-w", "--stdin"]
    made = subprocess.run(command, cwd=repo.root, input=content, capture_output=True, check=True)
    return made.stdout.decode().strip()


def statuses(made):
    return {one.path: one.status for one in made.flows}


def test_a_partial_clone_is_not_filled_up_over_the_network(ready, tmp_path):
    ready.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    ready.git("clone", "-q", "--filter=blob:none", "--no-checkout", ready.root.as_uri(), str(clone))
    with pytest.raises(FlowspecError, match=r"(is|are) missing in") as raised:
        compare_revisions(clone, ready.base)
    assert "--filter" in raised.value.remedy


def test_a_shallow_clone_of_two_branches(ready, tmp_path):
    ready.git("branch", "change")
    ready.git("checkout", "-q", "-b", "other", ready.base)
    ready.commit({"b.yaml": spec("b")})
    clone = tmp_path / "shallow"
    ready.git("clone", "-q", "--depth=1", "--no-single-branch", ready.root.as_uri(), str(clone))
    with pytest.raises(FlowspecError, match="no commit in common") as raised:
        compare_revisions(clone, "origin/other", head="origin/change")
    assert "fetch-depth: 0" in raised.value.remedy


@pytest.mark.parametrize("base", ["", "main^9", "a.yaml", "main:a.yaml", "--output=x", "-"])
def test_a_base_that_is_no_commit(ready, base):
    with pytest.raises(FlowspecError, match="there is no commit"):
        compare_revisions(ready.root, base)
    assert not (ready.root / "x").exists()


def test_a_bare_repository_in_a_folder_is_none(ready):
    """A branch can bring a folder that git takes for a repository, with a configuration of its own."""
    ready.git("init", "-q", "--bare", "trap")
    (ready.root / "trap/inner").mkdir()
    with pytest.raises(FlowspecError, match="bare"):
        compare_revisions(ready.root / "trap", "main")
    with pytest.raises(FlowspecError, match="bare"):
        compare_revisions(ready.root / "trap/inner", "main")


def test_three_broken_files_of_a_thousand(repo):
    base = repo.commit({f"jobs/{number:04}.yaml": spec(f"job{number}") for number in range(1000)})
    broken = {f"jobs/{number:04}.yaml": spec(f"job{number}", more="market: SPOTT\n") for number in (7, 77, 777)}
    repo.commit({**broken, "jobs/0500.yaml": spec("job500", count=5)})
    made = compare_revisions(repo.root, base)
    assert statuses(made) == {**dict.fromkeys(broken, "invalid"), "jobs/0500.yaml": "changed"}


def test_files_that_are_no_text(ready):
    (ready.root / "binary.yaml").write_bytes(b"flowspec: v1\nname: \xff\xfe\n")
    ready.commit({"huge.yaml": "flowspec: v1\n# " + "x" * 10_000_001})
    made = ready.review()
    assert {one.path: [found.id for found in one.findings] for one in made.flows if one.findings} == {
        "binary.yaml": ["FS002"],
        "huge.yaml": ["FS010"],
    }


def test_a_conflict_is_named_at_its_line(ready):
    sides = f"{spec()}<<<<<<< HEAD\ntags: {{a: b}}\n=======\ntags: {{a: c}}\n>>>>>>> branch\n"
    ready.commit({"a.yaml": sides, "b.yaml": spec("b")})
    made = ready.review()
    assert statuses(made) == {"a.yaml": "invalid", "b.yaml": "new"}
    (found,) = made.flows[0].findings
    assert (found.message, found.location.line) == ("a merge conflict is not resolved", spec().count("\n") + 1)


NAMES = ["a b", "new\nline", "tab\t", 'quo"te', "'; touch x;'", "\x1b[31m", ":!x", ":(glob)*", "-rf", "--exec=x", "é"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_hostile_names(ready, name):
    path = f"{name}.yaml"
    (ready.root / path).write_text(spec("named", more="market: SPOTT\n"))
    ready.commit({})
    assert statuses(ready.review())[path] == "invalid"
    made = ready.review(paths=[path])
    assert statuses(made) == {path: "invalid"}
    shown = harmless(reviews.as_text(made)) + reviews.as_markdown(made)
    assert "\x1b" not in shown
    assert not any(line.startswith("line.yaml") for line in shown.splitlines())


def test_a_name_that_is_no_text(ready):
    name = os.fsdecode(b"\xff.yaml")
    (ready.root / name).write_text(spec("named"))
    ready.commit({})
    made = ready.review()
    assert statuses(made)[name] == "new"
    for shown in (reviews.as_text(made), reviews.as_markdown(made), reviews.as_json(made)):
        harmless(shown).encode()


def test_links_that_go_round_or_lead_out(ready, tmp_path):
    (tmp_path / "secret.yaml").write_text("flowspec: v1\nname: secret\n")
    (ready.root / "a/b/c/d").mkdir(parents=True)
    targets = {
        "loop.yaml": "loop.yaml", "one": "two", "two": "one", "self": ".", "up": "..", "passwd.yaml": "/etc/passwd",
        "out.yaml": "../secret.yaml", "top": "self", "nothing.yaml": "missing.yaml",
        # By its text it stays inside of the repository.
        "a/b/c/d/x": "../../../..", "by-another.yaml": "a/b/c/d/x/../secret.yaml",
    }  # fmt: skip
    for name, target in targets.items():
        (ready.root / name).symlink_to(target)
    users = {
        "loop": "loop.yaml",
        "passwd": "passwd.yaml",
        "out": "out.yaml",
        "round": "one/x.yaml",
        "fine": "self/base.yaml",
    }
    ready.commit(
        {f"{name}-user.yaml": f"extends: {base}\n{spec(name)}" for name, base in users.items()}
        | {"base.yaml": "flowspec: v1\n"}
    )
    made = ready.review()
    assert {path for path, status in statuses(made).items() if status == "new"} == {"fine-user.yaml"}
    assert {path for path, status in statuses(made).items() if status == "invalid"} >= {
        "loop-user.yaml", "passwd-user.yaml", "out-user.yaml", "round-user.yaml",
    }  # fmt: skip
    assert {note.partition(" ")[0] for note in made.notes if "link out of" in note} == {
        "up", "passwd.yaml", "out.yaml", "by-another.yaml",
    }  # fmt: skip
    shown = reviews.as_json(made) + reviews.as_text(made)
    assert "name: secret" not in shown
    assert "root:" not in shown


@pytest.mark.parametrize("target", [b"x" * 5000, b"a\0b"], ids=["long", "NUL"])
def test_a_link_that_no_file_system_has(ready, target):
    entries = [
        ("100644", "blob", object_of(ready, "HEAD:a.yaml"), "a.yaml"),
        ("120000", "blob", blob(ready, target), "l"),
    ]
    made = ready.review(head=made_by_hand(ready, *entries))
    assert statuses(made) == {"a.yaml": "changed"}
    assert any(note.startswith("l is left out: ") for note in made.notes)


def test_a_name_that_is_too_long(ready):
    entries = [("100644", "blob", object_of(ready, "HEAD:a.yaml"), name) for name in ("x" * 300, "z.yaml")]
    made = ready.review(head=made_by_hand(ready, *entries))
    assert statuses(made)["z.yaml"] in {"new", "changed"}
    assert any("left out: File name too long" in note for note in made.notes)


def test_names_that_would_lead_out_of_the_folder(ready, tmp_path):
    content = object_of(ready, "HEAD:a.yaml")
    folder = object_of(ready, f"{made_by_hand(ready, ('100644', 'blob', content, 'evil.yaml'))}^{{tree}}")
    entries = [
        ("100644", "blob", content, "a.yaml"),
        ("040000", "tree", folder, ".."),
        ("040000", "tree", folder, ".GIT"),
    ]
    made = ready.review(head=made_by_hand(ready, *entries))
    assert statuses(made) == {"a.yaml": "changed"}
    assert not list(tmp_path.rglob("evil.yaml"))
    assert [note for note in made.notes if "evil" in note] == [
        "../evil.yaml is left out: its name leads out of the repository",
        ".GIT/evil.yaml is left out: its name leads out of the repository",
    ]


@pytest.mark.parametrize("kind", ["100644", "120000"])
def test_two_things_of_one_name(ready, tmp_path, kind):
    content = object_of(ready, "HEAD:a.yaml")
    folder = object_of(ready, f"{made_by_hand(ready, ('100644', 'blob', content, 'x.yaml'))}^{{tree}}")
    other = blob(ready, bytes(tmp_path) if kind == "120000" else b"x")
    entries = [(kind, "blob", other, "lib"), ("040000", "tree", folder, "lib"), ("100644", "blob", content, "z.yaml")]
    made = ready.review(head=made_by_hand(ready, *entries))
    assert statuses(made)["z.yaml"] == "new"
    assert not (tmp_path / "x.yaml").exists()
    assert any(note.startswith("lib") and "something else of that name" in note for note in made.notes)


def test_nothing_is_written_through_a_link(ready, tmp_path):
    """Two entries of one name, a link and a folder, of which the second has a link."""
    inner = made_by_hand(ready, ("120000", "blob", blob(ready, b"target"), "written"))
    entries = [
        ("120000", "blob", blob(ready, bytes(tmp_path)), "lib"),
        ("040000", "tree", object_of(ready, f"{inner}^{{tree}}"), "lib"),
    ]
    ready.review(head=made_by_hand(ready, *entries))
    assert not os.path.lexists(tmp_path / "written")


def test_a_submodule_is_named_and_not_entered(ready, tmp_path):
    ready.git("clone", "-q", str(ready.root), str(tmp_path / "other"))
    ready.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "other"), "vendor")
    ready.commit({})
    made = ready.review()
    assert statuses(made) == {"a.yaml": "changed"}
    assert "vendor is left out: it is a submodule" in made.notes


PROGRAMS = [
    "core.fsmonitor",
    "core.pager",
    "core.sshCommand",
    "core.gitProxy",
    "core.alternateRefsCommand",
    "diff.external",
    "diff.evil.textconv",
    "diff.evil.command",
    "filter.evil.smudge",
    "filter.evil.clean",
    "filter.evil.process",
    "merge.evil.driver",
    "gpg.program",
    "credential.helper",
    "uploadpack.packObjectsHook",
]


def test_nothing_of_the_repository_is_run(ready, tmp_path, monkeypatch):
    ready.commit({".gitattributes": "* diff=evil filter=evil merge=evil\n"})
    ran, script = tmp_path / "ran", tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    script.chmod(0o755)
    for name in PROGRAMS:
        ready.git("config", name, str(script))
    for name in ["post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"]:
        (ready.root / ".git/hooks").mkdir(exist_ok=True)
        (ready.root / ".git/hooks" / name).symlink_to(script)
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_ASKPASS", "PAGER", "EDITOR"):
        monkeypatch.setenv(name, str(script))
    (ready.root / "a.yaml").write_text(spec(count=9))
    index = (ready.root / ".git/index").read_bytes()
    ran.unlink(missing_ok=True)
    made = ready.review()
    assert statuses(made) == {"a.yaml": "changed"}
    assert any("not committed" in note for note in made.notes)
    assert not ran.exists()
    assert (ready.root / ".git/index").read_bytes() == index
    # The trap is one: git itself runs it.
    subprocess.run(["git", "diff"], cwd=ready.root, check=False, capture_output=True)
    assert ran.exists()


def test_replaced_objects_are_not_looked_at(ready):
    ready.git("replace", object_of(ready, "HEAD:a.yaml"), object_of(ready, f"{ready.base}:a.yaml"))
    assert statuses(ready.review()) == {"a.yaml": "changed"}


def test_the_folder_of_the_files_is_private(ready, monkeypatch):
    seen = []
    write = Trees.write

    def spied(trees, commit, name):
        root = write(trees, commit, name)
        seen.append(stat.S_IMODE(root.parent.stat().st_mode))
        return root

    monkeypatch.setattr(review.Trees, "write", spied)
    ready.review()
    assert seen == [0o700, 0o700]
