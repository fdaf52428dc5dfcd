"""Directories as archives: which files, and the same bytes everywhere."""

import hashlib
import io
import os
import subprocess
import zipfile

import pytest

from flowspec.request.archives import MAX_MEMBERS, OutsideError, PackingError, members, packed


@pytest.fixture
def tree(tmp_path):
    """Writes files below lib/ and gives that folder."""

    def make(*names, ignore="", ignore_beside=""):
        for name in names:
            path = tmp_path / "lib" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        if ignore:
            (tmp_path / "lib" / ".flowspecignore").write_text(ignore)
        if ignore_beside:
            (tmp_path / ".flowspecignore").write_text(ignore_beside)
        return tmp_path / "lib"

    return make


def names(folder):
    return [member.name for member in members(folder, folder.parent)]


def archive(folder):
    return b"".join(packed(members(folder, folder.parent)))


def test_the_same_content_makes_the_same_bytes(tree, tmp_path):
    folder = tree("b.txt", "a/z.txt", "a.txt", "ä.txt")
    (folder / "b.txt").chmod(0o755)
    first = archive(folder)
    os.utime(folder / "b.txt", (1, 1))
    (folder / "b.txt").chmod(0o700)
    (folder / "a.txt").chmod(0o600)
    (folder / "empty").mkdir()
    copy = tmp_path / "other"
    subprocess.run(["cp", "-r", folder, copy], check=True)
    (copy / "b.txt").chmod(0o711)
    assert archive(folder) == archive(copy) == first
    # Held for good: a new hash would be a new request for everyone.
    assert hashlib.sha256(first).hexdigest() == "729f4d32bad3f30eceefcaf748f5dad0ba76b048fe185b883cdb0ca5331c9946"
    (folder / "b.txt").chmod(0o600)
    assert archive(folder) != first


def test_any_unzip_can_read_it(tree):
    folder = tree("run.sh", "a/data.txt", "a/empty")
    (folder / "run.sh").chmod(0o755)
    (folder / "a" / "empty").write_text("")
    with zipfile.ZipFile(io.BytesIO(archive(folder))) as read:
        assert read.testzip() is None
        assert {one.filename: read.read(one) for one in read.infolist()} == {
            "a/data.txt": b"a/data.txt", "a/empty": b"", "run.sh": b"run.sh",
        }  # fmt: skip
        # No data descriptors: Java's ZipInputStream refuses them for what is stored.
        assert {(one.compress_type, one.flag_bits & 8, one.create_system) for one in read.infolist()} == {(0, 0, 3)}
        assert read.getinfo("run.sh").external_attr >> 16 & 0o777 == 0o755
        assert read.getinfo("a/data.txt").external_attr >> 16 & 0o777 == 0o644


def test_nothing_is_held_in_memory(tree, tmp_path):
    import tracemalloc

    folder = tree("small")
    with (folder / "big").open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    size = sum(map(len, packed(members(folder, tmp_path))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 50_000_000
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("", ["a.txt", "build/c.txt", "d/build/e.txt", "d/f.log"]),
        ("*.log", ["a.txt", "build/c.txt", "d/build/e.txt"]),
        ("# nothing\n\n  \n", ["a.txt", "build/c.txt", "d/build/e.txt", "d/f.log"]),
        ("build/", ["a.txt", "d/f.log"]),
        ("/build", ["a.txt", "d/build/e.txt", "d/f.log"]),
        ("d/build", ["a.txt", "build/c.txt", "d/f.log"]),
        ("**/e.txt", ["a.txt", "build/c.txt", "d/f.log"]),
        ("d/**", ["a.txt", "build/c.txt"]),
        ("*\n!a.txt", ["a.txt"]),
        ("*.txt\n!/a.txt", ["a.txt", "d/f.log"]),
        ("a.txt/", ["a.txt", "build/c.txt", "d/build/e.txt", "d/f.log"]),
        ("?.txt", ["d/f.log"]),
        ("[ab].txt", ["build/c.txt", "d/build/e.txt", "d/f.log"]),
        ("[!a].txt", ["a.txt", "d/f.log"]),
        ("[.txt\n[]\n[!]", ["a.txt", "build/c.txt", "d/build/e.txt", "d/f.log"]),
        ("d/*/e.txt", ["a.txt", "build/c.txt", "d/f.log"]),
        ("d/**\n!d/f.log", ["a.txt", "build/c.txt", "d/f.log"]),
        ("d/\n!d/build/e.txt", ["a.txt", "build/c.txt", "d/build/e.txt"]),
        ("*.txt\n!d/", ["d/f.log"]),
    ],
)
def test_what_is_left_out(tree, ignore, left):
    folder = tree("a.txt", "build/c.txt", "d/build/e.txt", "d/f.log", ignore=ignore)
    assert names(folder) == left


def test_what_gitignore_escapes(tree):
    folder = tree("#x", "!y", "a b ", "a.txt", "b.txt", "^.txt", ignore="\\#x\n\\!y\na b\\ \n[^a].txt")
    assert names(folder) == ["a.txt"]


@pytest.mark.parametrize("bad", ["\\", "a\\", "!", "[z-a]", "[[:alpha:]]", "?" * 20_000])
def test_a_pattern_that_can_not_be_used_is_said_with_its_line(tree, bad):
    with pytest.raises(PackingError, match=r"lib/\.flowspecignore:2: .* is not a pattern of a \.gitignore"):
        names(tree("a", ignore=f"*.pyc\n{bad}\n"))


def test_an_ignore_file_without_measure(tree):
    with pytest.raises(PackingError, match=r"\.flowspecignore has more than 100,000 characters"):
        names(tree("a", ignore="a\n" * 60_000))
    with pytest.raises(PackingError, match="these are too many patterns"):
        names(tree("a", ignore=("?" * 1000 + "\n") * 20))


def test_git_is_never_packed_whatever_is_taken_back(tree):
    folder = tree(".git/config", "a/.git", "b/.git/x/y", "c", ignore="!.git/\n!.git\n!*.pyc\n!*")
    assert names(folder) == [".flowspecignore", "c"]


def test_a_link_that_leads_out_of_the_tree_is_refused(tree, tmp_path):
    folder = tree("a/b.txt")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("k")
    for name, goal in {"key": "secret/key", "all": "secret"}.items():
        link = folder / "a" / name
        link.symlink_to(tmp_path / goal)
        with pytest.raises(OutsideError, match=f"the link {name} in it leads to .*/{goal}"):
            members(folder, folder, folder)
        assert len(members(folder, folder, tmp_path)) == 2
        link.unlink()
    tree(".git/config")
    (folder / "a" / "mine").symlink_to("../.git/config")
    with pytest.raises(OutsideError, match=r"the link mine in it leads to .*config"):
        members(folder, folder, folder)


def test_a_link_that_is_left_out_may_lead_anywhere(tree):
    folder = tree("a", ignore="out")
    (folder / "out").symlink_to("/etc/passwd")
    assert [one.name for one in members(folder, folder, folder)] == ["a"]


def test_what_is_left_out_always_and_from_beside_the_spec(tree):
    folder = tree(
        ".git/x", "a/__pycache__/b.pyc", "c.pyc", ".DS_Store", "a.py", "b.py", ignore_beside="lib/b.py\na.py/"
    )
    assert names(folder) == ["a.py"]


def test_the_directory_of_the_spec_itself(tree, tmp_path):
    tree("a.txt", ignore_beside="lib/")
    assert members(tmp_path, tmp_path) == ()


def test_patterns_that_backtracking_never_finishes(tree):
    folder = tree("/".join("a" * 40), "a" * 200, ignore="\n".join(["**/a/" * 60 + "b", "*a" * 100 + "b"] * 20))
    assert len(names(folder)) == 2


def test_links_are_followed_but_not_in_circles(tree, tmp_path):
    folder = tree("a/b.txt")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.txt").write_text("c")
    (folder / "linked").symlink_to(tmp_path / "outside")
    assert names(folder) == ["a/b.txt", "linked/c.txt"]
    (folder / "a" / "up").symlink_to(folder)
    with pytest.raises(PackingError, match="up leads back"):
        names(folder)


def test_what_is_no_file_is_not_packed(tree):
    folder = tree("a")
    os.mkfifo(folder / "pipe")
    with pytest.raises(PackingError, match="pipe in it is not a regular file"):
        names(folder)


def test_names_that_can_not_be_written_down(tree):
    folder = tree("a")
    (folder / "b\nc").write_text("")
    with pytest.raises(PackingError, match=r"can't be written down: 'b\\nc'"):
        names(folder)


def test_too_many_files(tree, monkeypatch):
    monkeypatch.setattr("flowspec.request.archives.MAX_MEMBERS", 2)
    assert MAX_MEMBERS == 65_535
    with pytest.raises(PackingError, match="more than 2 files"):
        names(tree("a", "b", "c"))


def test_more_than_a_zip_can_hold(tree):
    folder = tree("a")
    with (folder / "big").open("wb") as file:
        file.truncate(3 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowspec.request.archives.MAX_BYTES", 2 << 20)
        with pytest.raises(PackingError, match="4 GiB"):
            archive(folder)
