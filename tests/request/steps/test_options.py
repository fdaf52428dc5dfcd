"""Options of a command line: arguments that a spec can hold are read, and where one can't, reading stops."""

import pytest

from flowspec.request.steps.options import Option, read, words

TABLE = {
    "name": Option("--name"),
    "cores": Option("--cores", "number"),
    "verbose": Option("--verbose", "switch"),
    "files": Option("--files", "commas"),
    "cache": Option("--cache", "each"),
    "input": Option("--input", "one_or_each"),
    "conf": Option("--conf", "pairs"),
    "src": Option("--src", joined=True),
}


@pytest.mark.parametrize(
    ("given", "found", "left"),
    [
        (["--name", "a", "--cores", "4", "rest"], {"name": "a", "cores": 4}, ["rest"]),
        (["--verbose", "--files", "a,b"], {"verbose": True, "files": ["a", "b"]}, []),
        (["--cache", "a", "--cache", "b"], {"cache": ["a", "b"]}, []),
        (["--input", "a"], {"input": "a"}, []),
        (["--input", "a", "--input", "b"], {"input": ["a", "b"]}, []),
        (["--conf", "a=1", "--conf", "b=x=y"], {"conf": {"a": "1", "b": "x=y"}}, []),
        (["--src=a=b"], {"src": "a=b"}, []),
        # A mapping has one place for a key: an option that comes again later would move.
        (["--conf", "a=1", "--name", "x", "--conf", "b=2"], {"conf": {"a": "1"}, "name": "x"}, ["--conf", "b=2"]),
        # No mapping holds a pair twice, a pair without a value, or one without a name.
        (["--conf", "a=1", "--conf", "a=2"], {"conf": {"a": "1"}}, ["--conf", "a=2"]),
        (["--conf", "a"], {}, ["--conf", "a"]),
        (["--conf", "=a"], {}, ["--conf", "=a"]),
        # A number that would be written otherwise than it was.
        (["--cores", "04"], {}, ["--cores", "04"]),
        (["--name", "a", "--name", "b"], {"name": "a"}, ["--name", "b"]),
        (["--name"], {}, ["--name"]),
        (["--cache"], {}, ["--cache"]),
        (["--input", "a", "--input"], {"input": "a"}, ["--input"]),
        (["--files", ""], {}, ["--files", ""]),
        (["--src", "a"], {}, ["--src", "a"]),
        (["--unknown", "a", "--name", "b"], {}, ["--unknown", "a", "--name", "b"]),
    ],
)
def test_reading(given, found, left):
    assert read(given, TABLE) == (found, left)
    written = [word for key, value in found.items() for word in words(TABLE[key], value)]
    assert written + left == given


def test_what_is_off_or_empty_is_not_written():
    assert words(TABLE["verbose"], False) == words(TABLE["files"], []) == words(TABLE["conf"], {}) == []
