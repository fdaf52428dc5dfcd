"""`type: streaming`: Hadoop Streaming, which runs any programs as mapper and reducer.

Options are written in the order of the step's keys; only Hadoop's generic options (-D, -files …) come before
all others, since GenericOptionsParser stops at the first word that it does not know.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from flowspec.facts import streaming_options
from flowspec.facts.api_model import KeyPath
from flowspec.facts.pythons import python_of
from flowspec.facts.uris import is_s3, link_name, split_at_commas
from flowspec.request.assets import Asset, is_relative, looks_like_file
from flowspec.request.packages import LINK
from flowspec.request.steps.access import Access, Use, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.options import Option, Table, read, words
from flowspec.request.steps.packages import packages_uri, wanted_version
from flowspec.request.steps.target import HadoopJarStep, Invocation, StepTarget

AMI_JAR = "/home/hadoop/contrib/streaming/hadoop-streaming.jar"
"""The streaming jar of the AMIs before release 4.0.0."""

GENERIC: Table = {
    option.key: Option(f"-{option.flag}", option.form) for option in streaming_options.GENERIC if option.key
}
OPTIONS: Table = {
    option.key: Option(f"-{option.flag}", option.form) for option in streaming_options.STREAMING if option.key
}

_COMMANDS = ("mapper", "combiner", "reducer")
# Keys whose files the tasks find in their working directory, under a name.
_JAR = re.compile(r"streaming[^/]*\.jar$")
# The list of shipped files is split at commas, and java.net.URI parses what is between them.
_NOT_IN_LIST = re.compile(r"[\s,\"<>\\^`{|}]")
# StreamUtil.splitArgs cuts commands at blanks; quotes group, and a quote ends the word before it.
_FIRST_WORD = re.compile(r" *(?:'([^']*)'|\"([^\"]*)\"|([^ '\"]+))")
_PYTHON3 = re.compile(rb"#!.*\bpython3?(?![\w.])")
# Linux reads only so many bytes of the line (BINPRM_BUF_SIZE).
_LONGEST_FIRST_LINE = 256
# Hadoop starts a command by the JDK, which has /bin/sh run what the kernel can't (childproc.c, ENOEXEC).
_LANGUAGES = {".py": "python3", ".rb": "ruby", ".pl": "perl"}
# A path with blanks is searched for within this number of words of a command: each word takes a file access.
_MOST_WORDS = 16
_FLAGS = frozenset(option.flag for option in OPTIONS.values())
_GENERIC_FLAGS = frozenset(f"-{option.flag}" for option in streaming_options.GENERIC)


def invocation(target: StepTarget) -> Invocation:
    """Returns the program that runs Hadoop Streaming; on the AMIs it is a jar of its own."""
    return Invocation(AMI_JAR) if target.pre_emr4 else target.program("hadoop-streaming")


def compile(step: SpecStep) -> dict[str, Any]:
    """Compiles a step to Hadoop Streaming with its options; files of the commands are shipped to the tasks."""
    step = _with_packages(step)
    shipped = _ShippedFiles(step)
    streaming = [
        word for key in step.fields if key == "args" or key in OPTIONS for word in _option_words(key, step, shipped)
    ]
    # After the commands, because only then their files are known; -files must come before the commands.
    args = [*_generic_words(step, shipped), *streaming]
    return (Invocation(step.file("jar")) if "jar" in step.fields else invocation(step.target)).step(args)


def _with_packages(step: SpecStep) -> SpecStep:
    """Returns the step with an archive of its Python packages, which the tasks find by PYTHONPATH.

    The tasks run in the folder that the archive is linked in, and Python makes PYTHONPATH absolute when it starts.
    """
    uri = packages_uri(step)
    if uri is None:
        return step
    _refuse_conflicts(step)
    _warn_of_another_python(step)
    archives = [*step.fields.get("archives", ()), f"{uri}#{LINK}"]
    variables = step.fields.get("cmdenv", {})
    path = ":".join(filter(None, (variables.get("PYTHONPATH"), f"./{LINK}")))
    added = {"archives": archives, "cmdenv": {**variables, "PYTHONPATH": path}}
    return step._replace(fields={**step.fields, **added})


def _refuse_conflicts(step: SpecStep) -> None:
    for key in streaming_options.LINKED:
        for index, text in enumerate(step.fields.get(key, ())):
            if link_name(text) == LINK:
                message = f"'{LINK}' is the folder of the step's Python packages"
                step.files.report("FS284", (*step.at, key, index), message, hint="give it another name: path#name")
    # Hadoop uses the first -archives and ignores a second one.
    if "-archives" in step.fields.get("generic_args", ()):
        message = "-archives here would hide that of the step's Python packages"
        step.files.report("FS284", (*step.at, "generic_args"), message, hint="use `archives`")


def _warn_of_another_python(step: SpecStep) -> None:
    """Warns of commands that python3 runs, if the packages are for another version than that of python3."""
    flow, version = step.files.jobflow, wanted_version(step)
    release = python_of(flow.fields.get("release_label"))
    if not flow.traits.on_aws or not release or version == release.versions[0]:
        return
    there = "" if version in release.versions else ", which a bootstrap action has to install"
    for key in _COMMANDS:
        at = (*step.at, key)
        if _is_run_by_python3(step.fields.get(key), at, step):
            theirs = f"python3 of {flow.fields['release_label']} is {release.versions[0]}"
            message = f"the packages are for Python {version}, and {theirs}, which runs this"
            step.files.report("FS285", at, message, hint=f"#!/usr/bin/env python{version} as its first line{there}")


def _is_run_by_python3(command: str | None, at: KeyPath, step: SpecStep) -> bool:
    """Returns True for a command of python3, or of a local file whose first line names it without a version."""
    match = _FIRST_WORD.match(command or "")
    word = next(group for group in match.groups() if group is not None) if match else ""
    if PurePosixPath(word).name in ("python", "python3"):
        return True
    if not is_relative(word) or not step.stages:
        return False
    return _PYTHON3.match(_first_line(step.files.absolute(word, at)) or b"") is not None


def _first_line(path: Path) -> bytes | None:
    """Returns the first line of a file; None if it can't be read: its user reports that."""
    try:
        # Opening a named pipe waits for a writer.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.readline(_LONGEST_FIRST_LINE)
    except OSError:
        return None


def _option_words(key: str, step: SpecStep, shipped: _ShippedFiles) -> list[str]:
    value, at = step.fields[key], (*step.at, key)
    if key == "args":
        return list(value)
    if key in _COMMANDS:
        value = shipped.command(value, at)
    elif key == "input":
        several = value if isinstance(value, list) else [value]
        value = [step.files.data_path(one, (*at, index)) for index, one in enumerate(several)]
    elif key == "output":
        value = step.files.data_path(value, at)
    elif key in ("cache_files", "cache_archives"):
        value = [shipped.uri(text, (*at, index)) for index, text in enumerate(value)]
    return words(OPTIONS[key], value)


def _generic_words(step: SpecStep, shipped: _ShippedFiles) -> list[str]:
    keys = [key for key in step.fields if key == "generic_args" or key in GENERIC]
    if "files" not in keys:
        # The commands may need -files all the same; it goes where the schema's order has it, after the properties.
        keys.insert(keys.index("properties") + 1 if "properties" in keys else 0, "files")
    args: list[str] = []
    for key in keys:
        if key == "generic_args":
            args += step.fields[key]
        else:
            args += words(GENERIC[key], step.fields[key] if key == "properties" else shipped.generic(key))
    return args


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """Returns the step of a Hadoop Streaming, by command-runner.jar or by any streaming jar."""
    args, own = invocation(target).args_of(step), {}
    if args is None and step.keys() == {"Jar", "Args"} and _JAR.search(step["Jar"]):
        args, own = step["Args"], {"jar": step["Jar"]}
    if args is None:
        return None
    generic, rest = _read_generic(args)
    streaming = _read_streaming(rest)
    if streaming.get("reducer") == "NONE":
        streaming["reducer"] = "none"
    return {**own, **streaming, **generic}


def _read_streaming(args: list[str]) -> Fields:
    """Reads the options of Hadoop Streaming; one run of other arguments, at any position, becomes `args`.

    boto 2 puts a step's own arguments, such as `-jobconf KEY=VALUE`, before all others.
    """
    found, left = read(args, OPTIONS)
    at = next((index for index, word in enumerate(left) if index and word in _FLAGS), len(left))
    more, rest = read(left[at:], OPTIONS)
    if rest or not found.keys().isdisjoint(more):
        return {**found, "args": left}
    return {**found, **without_empty(args=left[:at]), **more}


def _read_generic(args: list[str]) -> tuple[Fields, list[str]]:
    """Reads Hadoop's generic options; those that a mapping can't express become `generic_args`."""
    found, rest = read(args, GENERIC)
    extra: list[str] = []
    while rest and (size := generic_length(rest[0])):
        extra += rest[:size]
        rest = rest[size:]
    return {**found, **without_empty(generic_args=extra)}, rest


def accesses(fields: Fields) -> Iterator[Access]:
    """Yields the inputs, the output, and the files that are shipped to the tasks."""
    yield from file_fields(fields, "jar", *streaming_options.LINKED, "libjars")
    given = fields.get("input", ())
    for several in [given] if isinstance(given, str) else given:
        yield from (Access(Use.INPUT, one) for one in split_at_commas(several) if one)
    if "output" in fields:
        # Another format may allow an existing folder, or write nothing (NullOutputFormat).
        yield Access(Use.TARGET if "output_format" in fields else Use.OUTPUT, fields["output"])
    # Before release 4.0.0 the streaming jar itself fetches a command from S3.
    commands = (str(fields.get(key, "")).split(" ")[0] for key in _COMMANDS)
    yield from (Access(Use.FILE, one) for one in commands if is_s3(one))


def generic_length(word: str) -> int:
    """Returns the number of arguments that a generic option takes which begins with this one; else 0."""
    if word in _GENERIC_FLAGS:
        return 2
    # -Dkey=value is one argument.
    return 1 if word.startswith("-D") else 0


class _ShippedFiles:
    """The files that one streaming step ships to its tasks, and their names there; each name is of one file."""

    def __init__(self, step: SpecStep) -> None:
        self._step = step
        self._commands: list[str] = []
        self._names: dict[str, str] = {}
        given = {key: list(enumerate(step.fields.get(key, ()))) for key in (*streaming_options.LINKED, "libjars")}
        self._links = {link_name(text) for key in streaming_options.LINKED for _, text in given[key]}
        # Before the commands: programs rely on the names in `files`, while a command's own file can be renamed.
        self._uris = {"files": [self._files_entry(text, (*step.at, "files", index)) for index, text in given["files"]]}
        for key in ("archives", "libjars"):
            self._uris[key] = [self.uri(text, (*step.at, key, index)) for index, text in given[key]]

    def generic(self, key: str) -> list[str]:
        """Returns the URIs for -files, -archives or -libjars; those for -files include the files of the commands."""
        return list(dict.fromkeys([*(self._commands if key == "files" else ()), *self._uris[key]]))

    def command(self, command: str | None, at: KeyPath) -> str:
        """Returns the command for a task: a file as its first word is replaced by the name it is shipped under."""
        if command is None or command.lower() == "none":
            return "NONE"
        match = _FIRST_WORD.match(command)
        if not match or not self._step.stages or self._is_split_path(command, at):
            return command
        name = self._ship_program(next(group for group in match.groups() if group is not None), at)
        return command if name is None else name + command[match.end() :]

    def _is_split_path(self, command: str, at: KeyPath) -> bool:
        """Reports a command that begins with the path of a local file with blanks in it, which Hadoop would split."""
        words = command.strip(" ").split(" ")[:_MOST_WORDS]
        beginnings = (" ".join(words[:count]) for count in range(1, len(words) + 1))
        # With one word there is nothing to split, and nothing to look for.
        found = (
            next((one for one in beginnings if is_relative(one) and self._is_file(one, at)), "") if words[1:] else ""
        )
        if found in ("", words[0]):
            return False
        name = PurePosixPath(found).name
        hint = "rename it: letters, digits and . _ - + = @ are safe" if " " in name else f"quote it: \"'{found}'\""
        message = f"Hadoop splits a command at blanks, so it does not find the file '{found}'"
        self._step.files.report("FS405", at, message, hint=hint)
        return True

    def _is_file(self, path: str, at: KeyPath) -> bool:
        # Path.is_file raises OSError for a name too long for the file system; this one returns False.
        return os.path.isfile(self._step.files.absolute(path, at))  # noqa: PTH113

    def _ship_program(self, word: str, at: KeyPath) -> str | None:
        if is_s3(word):
            uri, _, fragment = word.partition("#")
            # Streaming jars from before release 4.0.0 fetch a command from S3 by themselves.
            if self._step.target.pre_emr4 or self._report_odd(word, at):
                return None
            return self._ship_command_file(uri, fragment or PurePosixPath(uri).name, "")
        # A file that is shipped already, or is in an archive that is, is run from where the tasks find it.
        if not is_relative(word) or PurePosixPath(word).parts[:1] in {(link,) for link in self._links}:
            return None
        path = self._step.files.absolute(word, at)
        # Path.exists raises OSError for a name too long for the file system; this one returns False.
        if not looks_like_file(word) and not os.path.exists(path):  # noqa: PTH110
            return None
        self._check_interpreter(path, at)
        asset = self._asset(word, at)
        return self._ship_command_file(asset.uri, asset.name, asset.sha256[:8]) if asset else None

    def _check_interpreter(self, path: Path, at: KeyPath) -> None:
        """Warns of a script that Linux would not run with the interpreter of its language."""
        line, language = _first_line(path) or b"", _LANGUAGES.get(path.suffix.lower())
        if line.startswith(b"#!") and line.endswith(b"\r\n"):
            message = (
                f"the first line of '{path.name}' ends with CR LF: Linux treats CR as a part of the interpreter's name"
            )
            self._step.files.report("FS288", at, message, hint="save it with the line ends of Linux, LF")
        elif line.startswith(BOM_UTF8 + b"#!"):
            message = f"'{path.name}' has a byte order mark before its `#!`, so that it is run by sh"
            self._step.files.report("FS288", at, message, hint="save it as UTF-8 without a byte order mark")
        elif line and not line.startswith(b"#!") and language:
            message = f"'{path.name}' does not begin with `#!`, so that it is run by sh"
            hint = f"begin it with `#!/usr/bin/env {language}`, or call it: {language} {path.name}, with `files`"
            self._step.files.report("FS288", at, message, hint=hint)

    def _ship_command_file(self, uri: str, name: str, mark: str) -> str:
        """Ships a command's file; returns its name. `mark` distinguishes it from another file with this name."""
        if self._names.get(name, uri) != uri:
            stem, dot, suffix = name.rpartition(".")
            mark = mark or str(len(self._names) + 1)
            name = f"{stem}-{mark}.{suffix}" if dot and stem else f"{name}-{mark}"
        self._names[name] = uri
        self._commands.append(_with_link_name(uri, name))
        return name

    def _files_entry(self, text: str, at: KeyPath) -> str:
        """Returns an entry of `files`: `path` or `path#name`."""
        path, mark, fragment = text.partition("#")
        self._report_odd(fragment, at)
        uri, name = self.uri(path, at), link_name(text)
        if self._names.setdefault(name, uri) != uri:
            self._step.files.report(
                "FS405", at, f"another file is shipped as '{name}' already", hint="give it another name: path#name"
            )
        return f"{uri}{text[len(path) :]}" if mark else _with_link_name(uri, name)

    def uri(self, text: str, at: KeyPath) -> str:
        """Returns the URI of a file to ship: its asset's when it is local; a `#name` is kept."""
        path, mark, name = text.partition("#")
        if not self._step.stages or not is_relative(path):
            self._report_odd(text, at)
            return text
        self._report_odd(name, at)
        asset = self._asset(path, at)
        return asset.linked(f"{mark}{name}", at) if asset else text

    def _report_odd(self, uri: str, at: KeyPath) -> bool:
        """Reports a URI, or a name behind its `#`, that Hadoop's list of files can't hold; returns True for such a one.

        Source: GenericOptionsParser.validateFiles.
        """
        odd = _NOT_IN_LIST.search(uri)
        if odd:
            character = "a blank" if odd[0] == " " else repr(odd[0])
            message = f"Hadoop can't ship a file with {character} in its URI: {uri}"
            self._step.files.report(
                "FS405", at, message, hint=f"copy it to a key, or give it a name, without {character}"
            )
        return bool(odd)

    def _asset(self, path: str, at: KeyPath) -> Asset | None:
        asset = self._step.files.asset(path, at)
        odd = re.search("[,#]", asset.uri) if asset else None
        if asset and odd:
            message = f"Hadoop can't ship a file whose path has '{odd[0]}' in it"
            self._step.files.report("FS405", at, message, hint="move it to another folder", notes=(asset.uri,))
        return asset


def _with_link_name(uri: str, name: str) -> str:
    return uri if PurePosixPath(uri.partition("#")[0]).name == name else f"{uri.partition('#')[0]}#{name}"
