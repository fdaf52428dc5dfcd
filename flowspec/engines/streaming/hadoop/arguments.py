"""Parses the words after `hadoop-streaming` as Hadoop does, and words the errors with which its client ends.

Generic options come first, then Streaming's.

Sources: org.apache.hadoop.util.GenericOptionsParser (with commons-cli's GnuParser),
org.apache.hadoop.streaming.StreamJob.parseArgv (with its BasicParser).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from flowspec.facts import streaming_options

_QUOTED = re.compile(r'"[^"]*"')
_GENERIC = frozenset(option.flag for option in streaming_options.GENERIC)
_FLAGS = frozenset(option.flag for option in streaming_options.STREAMING if option.form == "switch")
# StreamJob.createOption gives these Integer.MAX_VALUE arguments; all others take one.
_MANY = frozenset(option.flag for option in streaming_options.STREAMING if option.form in ("each", "one_or_each"))
_STREAMING = frozenset(option.flag for option in streaming_options.STREAMING)

USAGE = """\
Usage: hadoop-streaming [genericOptions] [streamingOptions]
Options:
  -input          <path> DFS input file(s) for the Map step.
  -output         <path> DFS output directory for the Reduce step.
  -mapper         <cmd|JavaClassName> Optional. Command to be run as mapper.
  -combiner       <cmd|JavaClassName> Optional. Command to be run as combiner.
  -reducer        <cmd|JavaClassName> Optional. Command to be run as reducer.
  -file           <file> Optional. File/dir to be shipped in the Job jar file.
                  Deprecated. Use generic option "-files" instead.
  -inputformat    <TextInputFormat(default)|KeyValueTextInputFormat|JavaClassName>
                  Optional. The input format class.
  -outputformat   <TextOutputFormat(default)|JavaClassName>
                  Optional. The output format class.
  -partitioner    <JavaClassName>  Optional. The partitioner class.
  -numReduceTasks <num> Optional. Number of reduce tasks.
  -cmdenv         <n>=<v> Optional. Pass env.var to streaming commands.
  -io             <identifier> Optional. Format to use for input to and output
                  from mapper/reducer commands
  -lazyOutput     Optional. Lazily create Output.
  -background     Optional. Submit the job and don't wait till it completes.
  -verbose        Optional. Print verbose output.
  -info           Optional. Print detailed usage.
  -help           Optional. Print help message.

Generic options supported are:
  -conf <configuration file>        specify an application configuration file
  -D <property=value>               define a value for a given property
  -fs <file:///|hdfs://namenode:port> specify default filesystem URL to use
  -jt <local|resourcemanager:port>  specify a ResourceManager
  -files <file1,...>                specify a comma-separated list of files to be copied to the cluster
  -archives <archive1,...>          specify a comma-separated list of archives to be unarchived

The general command line syntax is:
command [genericOptions] [commandOptions]
"""


class ClientError(Exception):
    """Hadoop's client ends before the job runs: what it prints, and its exit status.

    `logged` is the text of an ERROR line of StreamJob, `printed` are plain lines. An exception that
    nobody catches (`uncaught`) is not followed by `Streaming Command Failed!`.
    """

    def __init__(
        self,
        *,
        logged: str = "",
        printed: Sequence[str] = (),
        usage: bool = False,
        uncaught: bool = False,
        status: int = 1,
    ) -> None:
        super().__init__(logged or " ".join(printed))
        self.logged = logged
        self.printed = tuple(printed)
        self.usage = usage
        self.uncaught = uncaught
        self.status = status


def refused(message: str) -> ClientError:
    """Returns the error for an argument that StreamJob refuses: the message and a hint, status 1."""
    return ClientError(printed=[message, "Try -help for more information"])


def launch_error(message: str) -> ClientError:
    """Returns the error for a job that is refused when it is submitted (StreamJob.submitAndMonitorJob)."""
    return ClientError(logged=f"Error Launching job : {message}", status=5)


def file_error(error: OSError) -> ClientError:
    """Returns the error for a job whose files or folders can't be read or made."""
    return launch_error(": ".join(filter(None, (error.filename, error.strerror))) or str(error))


class Unsupported(ClientError):
    """Something that Hadoop supports and this engine does not: an error names it; it is never ignored."""


def unsupported(what: str) -> ClientError:
    """Returns the error for an argument that this engine does not support, in the form of `refused`."""
    message = f"{what} is not supported by the local streaming engine"
    return Unsupported(printed=[message, "Try -help for more information"])


def uncaught(exception: str) -> ClientError:
    """Returns the error for an exception that ends Hadoop's client."""
    return ClientError(printed=[f'Exception in thread "main" {exception}'], uncaught=True)


class Arguments(NamedTuple):
    """The options, each with its values in the order given; flags have no value."""

    generic: dict[str, list[str]]
    streaming: dict[str, list[str]]

    def first(self, name: str) -> str | None:
        """Returns the first value of a streaming option: if it is given twice, Hadoop uses the first value."""
        values = self.streaming.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Returns all values of a streaming option."""
        return self.streaming.get(name, [])

    def has(self, flag: str) -> bool:
        """Returns True if a flag was given."""
        return flag in self.streaming


def parse(words: Sequence[str]) -> Arguments:
    """Parses the words. Raises `ClientError`."""
    if words and words[0].lower() == "streamjob":
        words = words[1:]
    generic, rest = _parse_generic(words)
    return Arguments(generic, _parse_streaming(rest))


def _parse_generic(words: Sequence[str]) -> tuple[dict[str, list[str]], Sequence[str]]:
    found: dict[str, list[str]] = {}
    at = 0
    while at < len(words):
        name, value = _generic_option(words[at])
        if not name:
            at += words[at] in ("-", "--")  # GnuParser stops at these words, and drops them
            break
        at += 1
        if value is None:
            if at == len(words) or _is_option(words[at], _GENERIC):
                raise ClientError(logged=f"Missing argument for option: {name}", usage=True)
            value = words[at]
            at += 1
        found.setdefault(name, []).append(_unquoted(value))
    return found, words[at:]


def _generic_option(word: str) -> tuple[str, str | None]:
    """Returns name and value (None: it is the next word) of a generic option; an empty name for any other word."""
    name = word.lstrip("-") if word.startswith("-") else ""
    if name in _GENERIC:
        return name, None
    head, equals, value = name.partition("=")
    if equals and head in _GENERIC:
        return head, value
    if word.startswith("-D"):
        return "D", word[2:]
    return "", None


def _parse_streaming(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    stray: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            stray += words[at:]
            break
        if not word.startswith("-") or word == "-":
            stray.append(word)
            continue
        if not _is_option(word, _STREAMING):
            raise _usage_error(f"Unrecognized option: {word}")
        name = word.lstrip("-")
        values = _values(name, words[at:])
        at += len(values)
        found.setdefault(name, []).extend(map(_unquoted, values))
    if stray:
        raise refused(f"Found {len(stray)} unexpected arguments on the command line [{', '.join(stray)}]")
    return found


def _values(name: str, words: Sequence[str]) -> list[str]:
    """Returns the words after an option that are its values: up to the next option that is known."""
    if name in _FLAGS:
        return []
    values: list[str] = []
    for word in words:
        if _is_option(word, _STREAMING) or (values and name not in _MANY):
            break
        values.append(word)
    if not values:
        raise _usage_error(f"Missing argument for option: {name}")
    return values


def _usage_error(message: str) -> ClientError:
    return ClientError(logged=message, printed=["", "Try -help for more information"], usage=True)


def _is_option(word: str, known: frozenset[str]) -> bool:
    return word.startswith("-") and word.lstrip("-") in known


def _unquoted(value: str) -> str:
    """Strips a pair of double quotes, as commons-cli does (Util.stripLeadingAndTrailingQuotes)."""
    return value[1:-1] if _QUOTED.fullmatch(value) else value
