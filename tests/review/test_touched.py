"""Only the specs that a change may touch are compiled, and by each way on which a file reaches a request it may."""

import pytest

from flowspec.review import review
from flowspec.review.review import Given, compare_revisions
from tests.review.conftest import spec

STEP = (
    "steps:\n  - {name: count, type: streaming, mapper: MAPPER, reducer: none, input: s3://a/in, output: s3://a/out}\n"
)
PACKED = "steps:\n  - {name: sums, type: spark, application: s3://a/sums.py, py_files: [../lib]}\n"
WORD = "variables: {word: {type: string, default: mapper}}\n"


@pytest.fixture
def compiled(repo, monkeypatch):
    """Reviews a commit after another one; the paths of the specs that were compiled, and the review."""

    def changed(before, after, **options):
        base = repo.commit(before)
        repo.commit(after)
        seen = set()
        work = review._review_pair

        def spied(pair, **others):
            seen.add(pair.after or pair.before)
            return work(pair, **others)

        monkeypatch.setattr(review, "_review_pair", spied)
        return seen, compare_revisions(repo.root, base, **options)

    return changed


@pytest.mark.parametrize(
    "more",
    [
        STEP.replace("MAPPER", "../lib/mapper.py"),
        WORD + STEP.replace("MAPPER", '"../lib/{{ word }}.py"'),
        WORD + STEP.replace("MAPPER", "\"../lib/{{ word | lower ~ '.py' }}\""),
        STEP.replace("MAPPER", '"../lib/m\\x61pper.py"'),
        PACKED,
    ],
)
def test_by_a_script(compiled, more):
    files = {"jobs/a.yaml": spec(more=more), "jobs/other.yaml": spec("other"), "lib/mapper.py": "1\n"}
    seen, made = compiled(files, {"lib/mapper.py": "2\n"})
    assert seen == {"jobs/a.yaml"}
    assert [(one.path, one.status) for one in made.flows] == [("jobs/a.yaml", "changed")]


@pytest.mark.parametrize(
    ("path", "counts"),
    [("jobs/lib/deep/data.txt", True), ("jobs/.flowspecignore", True), ("README.md", False), ("other/data.txt", False)],
)
def test_by_what_is_packed(compiled, path, counts):
    files = {"jobs/a.yaml": spec(more=PACKED.replace("../lib", "lib"))}
    files |= {f"jobs/lib/{name}": "1" for name in ("m.py", "deep/data.txt", "other.txt")}
    seen, made = compiled(files, {path: "other.txt\n"})
    assert bool(seen) is bool(made.flows) is counts


def test_by_a_base_file_and_what_that_names(compiled):
    files = {
        "conf/root.yaml": "flowspec: v1\nbootstrap_actions: [{name: a, path: setup.sh}]\n",
        "conf/setup.sh": "1\n",
        "conf/base.yaml": "flowspec: v1\nextends: 'root.yaml' # all of it\n",
        "jobs/a.yaml": "extends: ../conf/base.yaml\n" + spec(),
        "jobs/other.yaml": spec("other"),
    }
    seen, made = compiled(files, {"conf/setup.sh": "2\n"})
    assert seen == {"conf/root.yaml", "conf/base.yaml", "jobs/a.yaml"}
    assert [one.path for one in made.flows] == ["jobs/a.yaml"]
    seen, _ = compiled({}, {"conf/root.yaml": "flowspec: v1\ntags: {a: b}\n"})
    assert seen == {"conf/root.yaml", "conf/base.yaml", "jobs/a.yaml"}


def test_a_base_that_the_text_does_not_tell(compiled):
    files = {
        "base.txt": "flowspec: v1\ntags: {a: b}\n",
        "a.yaml": f'"extends": base.txt\n{spec()}',
        "b.yaml": spec("b"),
    }
    seen, made = compiled(files, {"base.txt": "flowspec: v1\ntags: {a: c}\n"})
    assert seen == {"a.yaml"}
    assert [one.status for one in made.flows] == ["changed"]


def test_an_incomplete_base_file_is_no_flow(compiled, repo):
    files = {"base.yaml": "flowspec: v1\ntags: {a: b}\n", "a.yaml": "extends: base.yaml\n" + spec()}
    _, made = compiled({"b.yaml": spec("b")}, files)
    assert [(one.path, one.status) for one in made.flows] == [("a.yaml", "new")]
    _, made = compiled({}, {"base.yaml": "flowspec: v1\nmarket: SPOTT\n"})
    assert [(one.path, one.status) for one in made.flows] == [("a.yaml", "invalid")]
    assert [str(one.location) for one in made.flows[0].findings] == ["base.yaml:2:1"]
    # By its name, it is a spec like any other.
    made = compare_revisions(repo.root, "HEAD~1", paths=["base.yaml"])
    assert [(one.path, one.status) for one in made.flows] == [("base.yaml", "invalid")]


def test_by_a_variable_file_and_what_it_names(compiled, repo):
    more = "variables: {script: {type: string}}\n" + STEP.replace("MAPPER", '"{{ script }}"')
    given = Given(variable_files=(repo.root / "vars.yaml",))
    files = {"a.yaml": spec(more=more), "vars.yaml": "script: m.py\n", "m.py": "1", "n.py": "1"}
    assert [one.status for one in compiled(files, {"m.py": "2"}, given=given)[1].flows] == ["changed"]
    assert [one.status for one in compiled({}, {"vars.yaml": "script: n.py\n"}, given=given)[1].flows] == ["changed"]
    given = Given(variables={"script": "m.py"})
    assert [one.status for one in compiled({}, {"m.py": "3"}, given=given)[1].flows] == ["changed"]


def test_by_a_script_that_the_environment_names(compiled, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_VAR_script", "lib/m.py")
    more = "variables: {script: {type: string}}\n" + STEP.replace("MAPPER", '"{{ script }}"')
    _, made = compiled({"a.yaml": spec(more=more), "lib/m.py": "1"}, {"lib/m.py": "2"})
    assert [one.status for one in made.flows] == ["changed"]


def test_by_what_a_link_leads_to(compiled, repo):
    (repo.root / "link.py").symlink_to("src/real.py")
    (repo.root / "packed").symlink_to("src")
    files = {
        "a.yaml": spec(more=STEP.replace("MAPPER", "link.py")),
        "b.yaml": spec("b", more=PACKED.replace("../lib", "packed")),
        "c.yaml": spec("c"),
        "src/real.py": "1",
    }
    seen, made = compiled(files, {"src/real.py": "2"})
    assert seen == {"a.yaml", "b.yaml"} == {one.path for one in made.flows}


def test_by_a_link_that_leads_elsewhere(compiled, repo):
    (repo.root / "lib").symlink_to("one")
    files = {"a.yaml": spec(more=STEP.replace("MAPPER", "lib/m.py")), "one/m.py": "1", "two/m.py": "2"}
    repo.commit(files)
    (repo.root / "lib").unlink()
    (repo.root / "lib").symlink_to("two")
    _, made = compiled({}, {})
    assert made.flows == ()
    assert [one.status for one in compare_revisions(repo.root, "HEAD~2").flows] == ["changed"]


def test_by_the_settings_that_hold_for_it(compiled):
    files = {"jobs/a.yaml": spec("a"), "other/b.yaml": spec("b"), "jobs/flowspec.toml": ""}
    seen, made = compiled(files, {"jobs/flowspec.toml": '[severity]\nFS612 = "error"\n'})
    assert seen == {"jobs/a.yaml"}
    assert [one.path for one in made.flows] == ["jobs/a.yaml"]


def test_a_spec_that_stays_invalid_while_its_script_changes_is_named(compiled):
    more = STEP.replace("MAPPER", "m.py") + "market: SPOTT\n"
    _, made = compiled({"a.yaml": spec(more=more), "m.py": "1"}, {"m.py": "2"})
    assert made.flows == ()
    assert made.notes == ("a.yaml: invalid in both revisions, for the same reasons, so that it is not compared",)


def test_other_files_compile_nothing(compiled):
    seen, made = compiled({"a.yaml": spec(more=STEP.replace("MAPPER", "m.py")), "m.py": "1"}, {"README.md": "x"})
    assert (seen, made.flows, made.compared) == (set(), (), 0)
