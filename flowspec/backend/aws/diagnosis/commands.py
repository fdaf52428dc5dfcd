"""Describes a streaming command that ended with an exit code: which one it was, of which task, on which input.

Sources: PipeMapRed.waitOutputThreads (Hadoop Streaming; a process that signal S ended has the code 128 + S), MapTask
("Processing split: URI:START+LENGTH" in the syslog of a map task's container), mapreduce.Job ("Task Id : attempt_…"),
signal(7) for the numbers of signals on Linux.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from flowspec.backend.aws.diagnosis.lines import Line
from flowspec.backend.aws.live import s3_uri
from flowspec.facts.uris import is_s3

COMMAND_FAILED = "command-failed"
"""The id of the rule of a streaming command that ended with a code of its own."""

COMMAND_FAILURE = "subprocess failed with code"
"""The words of Hadoop Streaming before the code."""

_CODE = re.compile(rf"{COMMAND_FAILURE} (\d+)")
# The embedded EMR names the task after its exception, Hadoop's client before it: attempt_1700000000000_0001_m_000000_0.
_TASK_BEFORE = re.compile(r"attempt_\d+_\d+_(m|r)_")
_TASK_AFTER = re.compile(r"LocalJobRunner: (m|r)\w+ task \d+ failed")
_INPUT_AFTER = re.compile(r"LocalJobRunner: map task \d+ failed on (.+?)(?: \(mapper: .*)?$")
_REPEAT_AFTER = re.compile(r"LocalJobRunner: to run the mapper alone: (.+)")
_SPLIT = re.compile(r"Processing split: (?P<uri>\S+):(?P<start>\d+)\+(?P<length>\d+)\s*$", re.MULTILINE)
# Lines around that of the exception in which its task is named.
_BEFORE, _AFTER = 4, 3
_TASKS = {"m": "a map task", "r": "a reduce task"}
# Those that no rule of its own knows.
_SIGNALS = {1: "HUP", 3: "QUIT", 10: "USR1", 12: "USR2", 14: "ALRM", 24: "XCPU", 25: "XFSZ", 31: "SYS"}
_JAVA_CLASS = re.compile(r"(?:[a-z]\w*\.)+[A-Z]\w*")
_GREP = re.compile(r"(?:\S*/)?[efz]?grep\b")
_UNPACK = {"gz": " | gzip -dc", "bz2": " | bzip2 -dc"}


class FailedCommand(NamedTuple):
    """A command that failed: sentences for the cause, and how to run it alone ("" if unknown)."""

    told: str
    repeat: str


def describe_failed_command(
    text: str, lines: Sequence[Line], at: int, args: Sequence[str], logs: Iterable[str]
) -> FailedCommand | None:
    """Returns what is known of the command that `text` says failed, the line at index `at`; None if it says no such.

    `args` are the arguments of the step, `logs` the texts of all logs that were read.
    """
    code = _CODE.search(text)
    if not code:
        return None
    after = [line.text for line in lines[at + 1 : at + 1 + _AFTER]]
    split = _find_split(logs, code[0])
    kind = _kind_of_task(after, [line.text for line in lines[max(0, at - _BEFORE) : at]]) or ("m" if split else "")
    named = next((found[1] for one in after if (found := _INPUT_AFTER.search(one))), "")
    given = named or (f"{split['uri']}, {split['length']} bytes from byte {split['start']}" if split else "")
    told = [f"It was the command of {_TASKS[kind]}: {_name_commands(kind, args)}."] if kind else []
    told += [f"Its input was {given}."] if given and kind == "m" else []
    command = _option(args, "-reducer" if kind == "r" else "-mapper")
    told += [meaning] if (meaning := _explain_code(int(code[1]), command)) else []
    repeat = next((found[1] for one in after if (found := _REPEAT_AFTER.search(one))), "")
    return FailedCommand(" ".join(told), repeat or _command_line(kind, args, split["uri"] if split else ""))


def _kind_of_task(after: Iterable[str], before: Sequence[str]) -> str:
    """Returns "m" or "r" for the task named next to a line; "" where none is."""
    around = [*map(_TASK_AFTER.search, after), *map(_TASK_BEFORE.search, reversed(before))]
    return next((found[1] for found in around if found), "")


def _find_split(logs: Iterable[str], failure: str) -> re.Match[str] | None:
    """Returns the split of a map task whose own log says `failure`."""
    whole = re.compile(rf"{failure}\b")
    return next((found for text in logs if whole.search(text) and (found := _SPLIT.search(text))), None)


def _name_commands(kind: str, args: Sequence[str]) -> str:
    mapper, combiner, reducer = (_quoted(_option(args, name)) for name in ("-mapper", "-combiner", "-reducer"))
    if kind == "r":
        return f"the reducer{reducer}"
    # Without arguments it is not known if there is a combiner.
    return f"the mapper{mapper}, or the combiner{combiner}" if combiner or not args else f"the mapper{mapper}"


def _quoted(command: str) -> str:
    return f" `{command}`" if command else ""


def _option(args: Sequence[str], name: str) -> str:
    """Returns the first value of an option, which is the one that Hadoop uses; "" without one."""
    return next(_option_values(args, name), "")


def _option_values(args: Sequence[str], name: str) -> Iterator[str]:
    return (value for one, value in pairwise(args) if one == name)


def _explain_code(code: int, command: str) -> str:
    """Returns a sentence on a code for which no other rule has one; "" if programs choose its meaning."""
    if code == 1 and _GREP.match(command):
        return "grep ends with 1 where no line matches; the property stream.non.zero.exit.is.failure: false allows it."
    if name := _SIGNALS.get(code - 128):
        return f"{code} is 128 + {code - 128}: signal SIG{name}."
    return ""


def _in_this_folder(command: str, args: Sequence[str]) -> str:
    """Returns a command as it is run in the folder of the files that are shipped: Hadoop looks there for a program."""
    shipped = [*_option(args, "-files").split(","), *_option_values(args, "-file")]
    names = {one.rpartition("#")[2].rpartition("/")[2] for one in shipped}
    return f"./{command}" if command.partition(" ")[0] in names - {""} else command


def _command_line(kind: str, args: Sequence[str], uri: str) -> str:
    """Returns a command line that runs the command alone: on the file of the split, if that is known."""
    mapper, reducer = (_in_this_folder(_option(args, name), args) for name in ("-mapper", "-reducer"))
    if kind == "r" and reducer:
        return f"LC_ALL=C sort FILE | {reducer}, where FILE is output of the mapper"
    if not mapper or _JAVA_CLASS.fullmatch(mapper) or kind == "r":
        return ""
    if not is_s3(uri):
        return f"{mapper} < FILE, where FILE is a part of the input"
    # The AWS CLI knows only one of Hadoop's names for the scheme.
    return f"aws s3 cp {shlex.quote(s3_uri(uri))} -{_UNPACK.get(uri.rpartition('.')[2].lower(), '')} | {mapper}"
