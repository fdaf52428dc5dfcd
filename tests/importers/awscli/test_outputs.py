"""Compares brace expansions and outputs of `echo`, `printf` and `seq` in imported scripts with those of bash itself."""

import subprocess

import pytest

from flowspec.document.text.tree import Source
from flowspec.importers.awscli.shell import parse
from flowspec.importers.placeholders import PLACEHOLDER


def words_of(script):
    commands = parse(Source("launch.sh", script)).commands
    return [word.text for one in commands if one.words[0].text == "aws" for word in one.words[1:]]


def words_of_bash(script, folder):
    shell = ["bash", "-c", f"aws() {{ printf '%s\\0' \"$@\"; }}\n{script}"]
    return subprocess.run(shell, stdout=subprocess.PIPE, check=True, text=True, cwd=folder).stdout.split("\0")[:-1]


@pytest.mark.parametrize(
    "script",
    [
        "aws {1..3} x{01..3} {3..3} {1..3..0} {1..10..-3} {10..1..3} {-1..01} {00..2} {1...3} {a,b}",
        "aws x={1..2} '{1..3}' \"{1..3}\"",
        "for i in {1..3} {3..3}; do aws $i; done",
        'aws $(seq 3) $(seq 1 2 6) "$(seq 3 1)" $(seq 3 -2 -4) x $(seq 3 1)',
        "aws $(printf '%s,%d%% ' a 1 b 2) \"$(printf 'a\\n\\n')\" \"$(printf '%s\\n' a b)\"",
        "aws x$(printf '%s' ' a b ')y x$(echo a b)\"c d\"$(echo e f) $(echo)",
        'f() { local p=$1; q=$p; echo "$q-$2"; }; aws "$(f a b)" $(f c \'d e\')',
        'A=(a b c); aws "$(echo "${A[@]}")" "$(printf \'%s,\' "${A[@]}")"',
        'aws "$(echo "a  b" \'*\' a~)" `echo a b`',
    ],
)
def test_known_words_are_those_of_bash(script, tmp_path):
    assert words_of(script) == words_of_bash(script, tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        "{1..500}",
        "{a..c}",
        "x{1..3}y",
        "{1..2},x",
        "$(seq 1 500)",
        "$(seq 1 0 3)",
        "$(seq -0 1)",
        "$(printf %d 010)",
        "$(printf %d -0)",
        "$(printf '-%s' a)",
        '"$(echo *.jar)"',
        '"$(echo ~)"',
        '"$(echo a &>/dev/null)"',
        '"$({ echo a; } >&2)"',
        '"$( (echo a) > file)"',
        '"$(log a >&2)"',
        '"$(log_aside a)"',
        '"$(IFS=,; echo "${A[*]}")"',
        '"$(join , a b)"',
    ],
)
def test_other_words_are_not_known(words):
    functions = [
        'log() { echo "$1"; }',
        'log_aside() { echo "$1" >&2; }',
        'join() { local IFS=$1; shift; echo "$*"; }',
    ]
    (made,) = words_of("\n".join([*functions, "A=(a b)", f"aws {words}"]))
    assert PLACEHOLDER.search(made)


@pytest.mark.parametrize("words", ["$(echo a,b)", '"$(echo "${A[*]}")"'])
def test_with_another_ifs_no_output_is_known(words):
    assert PLACEHOLDER.search(words_of(f"A=(a b)\nIFS=,\naws {words}")[0])
