"""Expected and actual output: what counts, and what is shown of a difference."""

import bz2
import gzip
import subprocess
import sys

import pytest

from flowspec.cases.comparison import difference, write_expected


def made(path, content):
    """A file of bytes, or a folder of a dict of them."""
    if isinstance(content, dict):
        path.mkdir()
        for name, data in content.items():
            made(path / name, data)
    else:
        path.write_bytes(content)
    return path


def compared(tmp_path, expected, actual, **how):
    return difference(
        made(tmp_path / "expected", expected), made(tmp_path / "actual", actual), **{"in_any_order": False, **how}
    )


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"a\nb\n", b"a\nb\n"),
        (b"", b""),
        (b"a\nb\n", {"part-00000": b"a\n", "part-00001": b"b\n", "_SUCCESS": b"", ".part-00000.crc": b"x"}),
        (b"a\n", {"part-00000.gz": gzip.compress(b"a\n")}),
        (b"a\n", {"part-00000.bz2": bz2.compress(b"a\n")}),
        ({"part-00000": b"a\n"}, {"part-00000": b"a\n", "_SUCCESS": b""}),
        ({"part-0.gz": gzip.compress(b"a\n", mtime=1)}, {"part-0.gz": gzip.compress(b"a\n", mtime=2)}),
        ({".gitkeep": b""}, {"_SUCCESS": b""}),
        ({"day=1": {"part-0": b"a\n"}}, {"day=1": {"part-0": b"a\n"}, "_temporary": {"x": b"y"}}),
    ],
)
def test_the_same(tmp_path, expected, actual):
    assert compared(tmp_path, expected, actual) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "shown"),
    [
        (b"a\nb\nc\n", b"a\nx\nc\n", "differs from line 2 on (3 lines)\n   a\n  -b\n  +x\n   c"),
        (b"a\nb\n", b"a\n", "differs from line 2 on (2 lines expected, 1 found)\n   a\n  -b"),
        (b"", b"a\n", "differs from line 1 on (0 lines expected, 1 found)\n  +a"),
        (b"a", b"a\n", "the expected file has no newline at its end"),
        (b"a\n", b"a", "the output has no newline at its end"),
        (b"\x1b[31m\tx\n", b"\xff\n", "differs from line 1 on (1 line)\n  -\\x1b[31m\tx\n  +\\xff"),
        (
            b"\\xff\nb\n",
            b"\xff\nb\n",
            "differs from line 1 on (2 lines)\n  the lines are shown alike: they differ from byte 1 on\n"
            "  -\\xff\n  +\\xff\n   b",
        ),
        ({"a": b"1\n"}, {"b": b"1\n"}, "there is no a\nb is not expected"),
        ({"a": b"1\n"}, {"a": b"2\n"}, "a: differs from line 1 on (1 line)\n  -1\n  +2"),
        ({"a": b"1\n"}, b"1\n", "it is a file, a folder is expected"),
    ],
)
def test_the_first_wrong_lines_are_shown(tmp_path, expected, actual, shown):
    assert compared(tmp_path, expected, actual) == shown


@pytest.mark.parametrize("name", ["a.gz", "a.bz2"])
def test_a_damaged_archive_is_compared_as_it_is(tmp_path, name):
    packed = bytearray((gzip if name == "a.gz" else bz2).compress(b"a line\n" * 100))
    damaged = bytes(packed[:-9]) if name == "a.bz2" else bytes([*packed[:12], *(byte ^ 0xFF for byte in packed[12:])])
    assert "differs from line 1" in compared(tmp_path, {name: damaged}, {name: bytes(packed)})


def test_much_that_is_wrong_is_cut(tmp_path):
    shown = compared(tmp_path, b"a\n" * 100_000, b"b\n" * 100_000).splitlines()
    assert len(shown) == 14
    assert shown[-1] == "  … and 108 more"
    (tmp_path / "long").mkdir()
    long = compared(tmp_path / "long", b"x\n" + b"a" * 200 + b"b\ny\n", b"x\n" + b"a" * 200 + b"c\ny\nz\n")
    cut = "a" * 160 + "…"
    assert long.splitlines()[1:] == [
        "  the lines are shown alike: they differ from byte 201 on",
        *("   x", f"  -{cut}", f"  +{cut}", "   y", "  +z"),
    ]


def test_lines_in_any_order_count_as_often_as_they_are_there(tmp_path):
    both = {"in_any_order": True}
    assert compared(tmp_path, b"a\nb\nb\n", {"part-0": b"b\na\n", "part-1": b"b\n"}, **both) == ""
    assert difference(made(tmp_path / "once", b"a\nb\nc\n"), tmp_path / "actual", **both) == (
        "1 line missing, 1 not expected\n  -c\n  +b"
    )
    # The last line of a part is a line of its own, though no newline ends it.
    output = made(tmp_path / "open", {"part-0": b"a\nb", "part-1": b"c"})
    assert difference(made(tmp_path / "whole", b"a\nb\nc\n"), output, **both) == ""


def test_an_output_that_is_missing(tmp_path):
    assert difference(made(tmp_path / "x", b""), tmp_path / "none", in_any_order=False) == "there is no such output"


@pytest.mark.parametrize(
    ("name", "old", "actual", "in_any_order"),
    [
        ("out", None, {"part-0": b"a\n", "_SUCCESS": b""}, False),
        ("out", {"part-0": b"x\n", "part-1": b"gone\n", ".gitkeep": b""}, {"part-0": b"a\n"}, False),
        ("out", None, {"_SUCCESS": b""}, False),
        ("out", None, {"day=1": {"part-0": b"a\n"}}, False),
        ("out.tsv", None, {"part-0": b"b\n", "part-1": b"a\n"}, False),
        ("out.tsv", None, {"part-0": b"b\n", "part-1": b"a\n"}, True),
        ("out.tsv", None, {"part-0": b"b", "part-1": b"a"}, True),
        ("out.gz", b"x", {"part-0": b"b\n"}, False),
        ("out.bz2", None, {"part-0": b"b\n"}, False),
        ("out", b"x", {"part-0": b"b\n"}, False),
        ("out", None, b"b\n", False),
        ("out", {"part-0": b"x\n"}, b"b\n", False),
        ("out", {"part-0": b"x\n"}, b"a\nb\n", True),
        ("out", {"day=1": {"part-0": b"x\n", ".gitkeep": b""}}, {"day=1": b"b\n"}, False),
        ("out", {"day=1": b"x\n"}, {"day=1": {"part-0": b"b\n"}}, False),
    ],
)
def test_what_is_written_is_the_same_afterwards(tmp_path, name, old, actual, in_any_order):
    expected = tmp_path / name
    if old is not None:
        made(expected, old)
    output = made(tmp_path / "actual", actual)
    write_expected(expected, output, in_any_order=in_any_order)
    assert difference(expected, output, in_any_order=in_any_order) == ""
    assert not (expected / "part-1").exists()
    if in_any_order and expected.is_file():
        assert expected.read_bytes() == b"a\nb\n"
    if name.endswith(".bz2"):
        assert bz2.decompress(expected.read_bytes()) == b"b\n"


@pytest.mark.parametrize("folder", [True, False])
def test_a_disk_that_becomes_full_leaves_the_old_file(tmp_path, folder):
    old, new = ({"part-0": content} if folder else content for content in (b"old\n", b"new\n" * 4096))
    expected, output = made(tmp_path / "out", old), made(tmp_path / "actual", new)
    code = (
        "import resource, sys, pathlib; from flowspec.cases.comparison import write_expected; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); "
        "write_expected(*map(pathlib.Path, sys.argv[1:]), in_any_order=False)"
    )
    done = subprocess.run([sys.executable, "-c", code, expected, output], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert (expected / "part-0" if folder else expected).read_bytes() == b"old\n"
    assert len(list(expected.iterdir() if folder else tmp_path.iterdir())) == (1 if folder else 2)
