"""The words of an `aws emr` command -> its options, read as the AWS CLI reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath
from typing import Any, NamedTuple, NoReturn

from flowspec.document.nearest import did_you_mean
from flowspec.document.schema import camel_case
from flowspec.document.text.tree import Source
from flowspec.errors import shorten
from flowspec.facts.api_model import Json
from flowspec.importers.awscli.parsed import REGIONS, Command, Script, Word
from flowspec.importers.awscli.paths import follow_path
from flowspec.importers.awscli.shorthand import ShorthandError
from flowspec.importers.awscli.shorthand import parse as parse_shorthand
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name
from flowspec.importers.refusal import refuse
from flowspec.importers.shapes import convert_scalars, parse_json
from flowspec.request.steps.target import DEFAULT_REGION, StepTarget

_AWS = re.compile(r"(.*[/\\\\])?aws(\.exe|\.cmd)?")


def _switches(*names: str) -> set[str]:
    """Returns the options --NAME and --no-NAME for each name."""
    return {f"{no}{name}" for no in ("", "no-") for name in names}


_ATTRIBUTES = _switches("visible-to-all-users", "termination-protected", "auto-terminate", "unhealthy-node-replacement")
_FLAGS = {*_ATTRIBUTES, *_switches("enable-debugging", "extended-support", "session-enabled"), "use-default-roles"}


def _members(*options: str) -> dict[str, str]:
    """Returns the members of the request that are named like their options."""
    other = {"os-release-label": "OSReleaseLabel"}
    return {name: other.get(name) or camel_case(name.replace("-", "_")) for name in options}


SCALARS = _members(
    *("additional-info", "log-uri", "os-release-label", "log-encryption-kms-key-id", "service-role"),
    *("auto-scaling-role", "scale-down-behavior", "security-configuration", "custom-ami-id", "repo-upgrade-on-boot"),
    *("step-execution-role-arn", "step-concurrency-level", "ebs-root-volume-size", "ebs-root-volume-iops"),
    "ebs-root-volume-throughput",
)
OBJECTS = _members(
    "kerberos-attributes", "managed-scaling-policy", "auto-termination-policy", "monitoring-configuration"
)
SWITCHES = _members("extended-support", "session-enabled")
_SEVERAL = {"tags", "tag-keys", "cluster-ids"}
_LISTS = {"instance-groups", "instance-fleets", "bootstrap-actions", "applications", "steps", "placement-group-configs"}
_STRUCTURED = {
    *(*OBJECTS, *_LISTS, "configurations", "ec2-attributes", "emrfs", "restore-from-hbase-backup", "instance-fleet")
}
_SINGLE = {
    *(*SCALARS, *OBJECTS, "release-label", "ami-version", "instance-type", "instance-count", "name"),
    *("configurations", "ec2-attributes", "emrfs", "restore-from-hbase-backup"),
}
# What says how to call EMR, or what to print: no part of the request.
_GLOBAL = {
    *("region", "profile", "endpoint-url", "output", "query", "color", "ca-bundle", "cli-read-timeout"),
    *("cli-connect-timeout", "cli-binary-format"),
}
_GLOBAL_FLAGS = {
    *("debug", "no-verify-ssl", "no-paginate", "no-sign-request", "no-cli-pager", "no-cli-auto-prompt"),
    *("cli-auto-prompt", "v2-debug"),
}
# The options of each command that is read (aws-cli 1.46, awscli/customizations/emr, and botocore's EMR model).
_OPTIONS: Mapping[str, set[str]] = {
    "create-cluster": {*_FLAGS, *_SINGLE, *_LISTS, "tags", "cli-input-json", "cli-input-yaml"},
    "add-steps": {"cluster-id", "steps", "execution-role-arn"},
    "add-instance-groups": {"cluster-id", "instance-groups"},
    "add-instance-fleet": {"cluster-id", "instance-fleet"},
    "add-tags": {"resource-id", "tags"},
    "remove-tags": {"resource-id", "tag-keys"},
    "modify-cluster": {"cluster-id", "step-concurrency-level", *_switches("extended-support")},
    "modify-cluster-attributes": {"cluster-id", *_ATTRIBUTES},
    "put-managed-scaling-policy": {"cluster-id", "managed-scaling-policy"},
    "remove-managed-scaling-policy": {"cluster-id"},
    "put-auto-termination-policy": {"cluster-id", "auto-termination-policy"},
    "remove-auto-termination-policy": {"cluster-id"},
    "terminate-clusters": {"cluster-ids"},
}

# What is looked into here, before the model judges the request.
_TEXT_KEYS = {
    *("Name", "Type", "ActionOnFailure", "Jar", "Properties", "InstanceGroupType", "Path", "Dir", "BackupVersion"),
    *("KMSKeyId", "CustomProviderLocation", "CustomProviderClass"),
}
_MOST_BYTES = 10_000_000


class Given(NamedTuple):
    """An option of the command: its words, and where it stands."""

    words: list[Word]
    at: Word


@dataclass
class Call:
    """One `aws emr` command that is read: `at` is its name, `folder` that of the script that `script` is.

    `creating` is the command that made its cluster (None: it is that command itself); `left_out` are options whose
    values are not known.
    """

    source: Source
    folder: Path
    script: Script
    command: Command
    at: Word
    creating: Call | None = None
    options: dict[str, Given] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """Returns True if the option was given."""
        return name in self.options

    def gives(self, name: str) -> bool:
        """Returns True if `--name` or `--no-name` was given."""
        return self.has(name) or self.has(f"no-{name}")

    def text(self, name: str) -> str | None:
        """Returns the text of an option of one value; from its file, where it names one."""
        given = self.options.get(name)
        return self.content(given.words[0]) if given else None

    def setting(self, name: str, variables: tuple[str, ...]) -> str:
        """Returns the text of an option, or of the first of several environment variables that is set; "" for none."""
        return self.text(name) or next(filter(None, map(self.command.environment.get, variables)), "")

    @property
    def region(self) -> str:
        """The region that the command is sent to; "" where only the CLI's configuration says it."""
        return self.setting("region", REGIONS)

    @property
    def target(self) -> StepTarget:
        """The target that decides the form of the cluster's steps."""
        creating = self.creating or self
        return StepTarget(not creating.has("release-label"), self.region or creating.region or DEFAULT_REGION)

    def content(self, word: Word) -> str:
        """Returns a value, or what is in the file that it names as `file://` or that `cat` prints."""
        printed = self._cat_output(word)
        if printed is not None:
            return printed
        scheme, mark, path = word.text.partition("://")
        if not mark or scheme not in ("file", "fileb", "http", "https"):
            return word.text
        if scheme.startswith("http"):
            self.refuse(f"{word.text} is not fetched", "download it, and name it as file://NAME", word)
        return self._read_file(path, word)

    def _cat_output(self, word: Word) -> str | None:
        """Returns the output of `$(cat FILE)`, or of a `cat` of a here document, that is the whole value; else None."""
        aliases = self.script.aliases(word.text)
        name = next((one for one in aliases if one in self.script.uncertain or one in self.script.outputs), "")
        commands = self.script.outputs.get(name, [])
        if name in self.script.uncertain or len(commands) != 1 or commands[0].words[0].text != "cat":
            return None
        _, *files = commands[0].words
        if not files:
            text = commands[0].stdin
            return None if text is None else text.rstrip("\n")
        if len(files) > 1 or self._unreadable_reason(files[0].text):
            return None
        return self._read_file(files[0].text, word).rstrip("\n")

    def _unreadable_reason(self, path: str) -> str:
        """Returns why the content of a file is known only when the script runs; "" for one that can be read now."""
        name = follow_path(self.script, path, self.command.folder).name
        if name is None:
            return "the script changes its folder before"
        if name not in self.script.files and PLACEHOLDER.search(name):
            return "its name is known only to the shell"
        if name not in self.script.files and name != normpath(path) and not self._is_below_folder(name):
            return "no such file is below the folder of the script"
        return "the script writes it itself" if self.script.files.get(name, "") is None else ""

    def _is_below_folder(self, name: str) -> bool:
        """Returns True if there is a file below the folder of the script."""
        folder = self.folder.resolve()
        file = (folder / name).resolve()
        return folder in file.parents and file.is_file()

    def leave_out_unknown(self) -> None:
        """Takes out, with a note, the lists and objects of which only the shell knows what they are."""
        for option in [one for one in self.options if one in _STRUCTURED]:
            given = self.options[option]
            kept = []
            for word in map(self._expand_variable, given.words):
                reason = self._unknown_reason(word)
                if reason:
                    self.notes.append(f"line {word.at.line}: {reason}; --{option} is imported without it")
                else:
                    kept.append(word)
            if kept:
                self.options[option] = given._replace(words=kept)
            elif given.words:
                self.left_out.add(option)
                del self.options[option]

    def _expand_variable(self, word: Word) -> Word:
        """Returns the value of a variable that is the whole word, where the script gives it one value only."""
        names = [*self.script.aliases(word.text)]
        known = self.script.variables.get(names[0]) if names else None
        text = self.script.texts.get(names[-1]) if names else None
        return word._replace(text=text) if text and known and text == known.default else word

    def _unknown_reason(self, word: Word) -> str:
        scheme, _, path = word.text.partition("://")
        reason = self._unreadable_reason(path) if scheme in ("file", "fileb") else ""
        if reason:
            shown = PLACEHOLDER.sub(r"${\1}", path)
            return f"{shown} is not read: {reason}"
        name = placeholder_name(word.text)
        if not name or self._cat_output(word) is not None:
            return ""
        # One that the script does not name itself is the output of a command.
        command = self.script.substitutions.get(name, "") if name not in self.script.texts else ""
        shown = f"the output of `{shorten(' '.join(command.split()))}`" if command else f"what ${name} stands for"
        return f"only the shell knows {shown}"

    def _read_file(self, path: str, word: Word) -> str:
        found = follow_path(self.script, path, self.command.folder)
        name = found.name or path
        written = self.script.files.get(name)
        if written is not None:
            return written
        if "\0" in path:
            self.refuse("a file name can't contain NUL", "", word)
        folder = self.folder.resolve()
        file = (folder / name).resolve()
        if folder not in file.parents:
            self.refuse(f"{name} is not below the folder of the script", "put it beside the script", word)
        if file.exists() and not file.is_file():
            self.refuse(f"{name} is not a file", "paths are taken from the script's folder", word)
        if found.is_filled:
            shown = PLACEHOLDER.sub(r"${\1}", path)
            note = f"{shown} is read as {name}: with other values of the script's variables it is another file"
            self.notes += [note] if note not in self.notes else []
        try:
            return file.read_bytes()[:_MOST_BYTES].decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            self.refuse(f"{name} can't be read: {reason}", "paths are taken from the script's folder", word)

    def objects(self, name: str, shape: Any) -> list[Json]:
        """Returns an option that is a list of objects, in JSON or shorthand; `shape` is botocore's of one of them."""
        given = self.options[name]
        words = given.words
        if len(words) == 1:
            text = self.content(words[0]).strip()
            if text[:1] == "[":
                return [self._check_object(one, words[0]) for one in self._json(text, words[0])]
            words = [Word(text, words[0].at)]
        return [self._object(word.text, word, shape) for word in words]

    def object(self, name: str, shape: Any) -> Json:
        """Returns an option that is an object, in JSON or shorthand."""
        word = self.options[name].words[0]
        return self._object(self.content(word), word, shape)

    def _object(self, text: str, word: Word, shape: Any) -> Json:
        if text.strip()[:1] in ("{", "["):
            return self._check_object(self._json(text, word), word)
        try:
            made: Json = convert_scalars(parse_shorthand(text), shape)
        except ShorthandError as error:
            self.refuse(f"neither JSON nor shorthand: {error}", "", word)
        return self._check_object(made, word)

    def _check_object(self, value: Any, word: Word) -> Json:
        if not isinstance(value, dict):
            known = self.script.variables.get(placeholder_name(value) or "")
            told = f", and only the shell knows {known.rules['description']}" if known and known.rules else ""
            hint = "write the object in its place" if told else ""
            self.refuse(f"an object is wanted, in JSON or shorthand{told}", hint, word)
        for key in _TEXT_KEYS & value.keys():
            if not isinstance(value[key], str):
                self.refuse(f"{key} is one text", "quotes keep a text with commas together", word)
        args = value.get("Args", [])
        if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
            self.refuse("Args is a list of texts", "put numbers in quotes", word)
        return value

    def json(self, name: str) -> Any:
        """Returns an option that is JSON."""
        word = self.options[name].words[0]
        return self._json(self.content(word), word)

    def _json(self, text: str, word: Word) -> Any:
        try:
            return parse_json(text)
        except (ValueError, RecursionError) as error:
            self.refuse(f"this is not JSON: {str(error)[:200]}", "", word)

    def tags(self) -> list[Json]:
        """Returns the tags of --tags."""
        if not self.has("tags"):
            return []
        words = [self.content(word) for word in self.options["tags"].words]
        if len(words) == 1 and words[0].lstrip()[:1] == "[":
            words = self.json("tags")
        if not all(isinstance(word, str) for word in words):
            self.refuse("--tags takes texts, as in team=search", "", self.options["tags"].at)
        return [key_and_value(word) for word in words]

    def choice(self, name: str) -> bool:
        """Returns True for `--name`, False for `--no-name` and when neither is given."""
        if self.has(name) and self.has(f"no-{name}"):
            self.refuse(f"--{name} and --no-{name} exclude each other", "keep one", self.options[name].at)
        return self.has(name)

    def required(self, given: Json, key: str, what: str) -> Any:
        """Returns a member that an object must have. Raises `SpecError` without it."""
        if given.get(key) in (None, "", [], {}):
            self.refuse(f"{what} lacks {key}", did_you_mean(key, given))
        return given[key]

    def note_unread(self, given: Json, known: set[str], option: str) -> None:
        """Notes the members of an object that the AWS CLI does not send: it ignores or refuses them."""
        self.notes += [
            f"{key} in {option} is left out: the AWS CLI sends no such member" for key in given if key not in known
        ]

    def refuse(self, message: str, hint: str = "", at: Word | None = None) -> NoReturn:
        """Raises `SpecError` about a word of the command."""
        refuse(self.source, message, hint, (at or self.at).at)


class Members(NamedTuple):
    """Stands in for a structure of botocore."""

    members: Mapping[str, Any]
    type_name: str = "structure"


def key_and_value(text: str) -> Json:
    """Returns the pair that KEY=VALUE means."""
    key, _, value = text.partition("=")
    return {"Key": key, "Value": value}


def name_of_command(words: list[Word]) -> str:
    """Returns the `aws emr` command in a list of words, "" for another.

    Whatever is before it is passed over (`time`, `sudo`, a prompt).
    """
    found = _find_command(words)
    return words[found[-1]].text if found else ""


def _find_command(words: list[Word]) -> tuple[int, int, int] | None:
    """Returns the indexes of `aws`, `emr` and the command in a list of words."""
    texts = [word.text for word in words]
    start = next((index for index, text in enumerate(texts) if _AWS.fullmatch(text)), None)
    if start is None or "emr" not in texts[start:]:
        return None
    emr = texts.index("emr", start)
    known = (index for index in range(emr + 1, len(texts)) if texts[index] in _OPTIONS)
    at = next(known, emr + 1)
    return (start, emr, at) if at < len(texts) else None


def read_call(command: Command, source: Source, folder: Path, script: Script, creating: Call | None = None) -> Call:
    """Returns a command of the script that is one of the `aws emr` commands that are read."""
    words = command.words
    found = _find_command(words)
    assert found, "name_of_command found it"
    start, emr, at = found
    call = Call(source, folder, script, command, words[at], creating)
    _take_options(call, [word for index, word in enumerate(words) if index > start and index not in (emr, at)])
    call.leave_out_unknown()
    return call


def _take_options(call: Call, words: list[Word]) -> None:
    """Sorts the words of a command into its options, as argparse does."""
    while words:
        word, *words = words
        given, assigned, value = word.text.removeprefix("--").partition("=")
        if not word.text.startswith("--"):
            _report_stray_word(call, word)
            continue
        name = _resolve_option(call, given, word)
        values = [Word(value, word.at)] if assigned else []
        if name not in _FLAGS | _GLOBAL_FLAGS and not assigned:
            count = next((index for index, one in enumerate(words) if _is_option(one)), len(words))
            count = count if name in _LISTS | _SEVERAL else min(count, 1)
            values, words = words[:count], words[count:]
            if not values:
                call.refuse(f"--{name} needs a value", "", word)
        call.options[name] = Given(values, word)


def _resolve_option(call: Call, given: str, word: Word) -> str:
    """Returns the option of this name, or the only one that begins with it (argparse's abbreviations)."""
    known = _OPTIONS[call.at.text] | _GLOBAL | _GLOBAL_FLAGS
    if given in known:
        return given
    matches = sorted(name for name in known if given and name.startswith(given))
    if len(matches) > 1:
        call.refuse(
            f"--{given} could be {', '.join(f'--{name}' for name in matches)}", "write the option's whole name", word
        )
    if not matches:
        call.refuse(f"--{given} is not an option of {call.at.text}", did_you_mean(given, known), word)
    return matches[0]


def _is_option(word: Word) -> bool:
    return re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word.text, re.DOTALL) is not None


def _report_stray_word(call: Call, word: Word) -> None:
    if not PLACEHOLDER.search(word.text):
        call.refuse(f"'{word.text[:60]}' belongs to no option", "a value that contains blanks needs quotes", word)
    name = placeholder_name(word.text) or "variable"
    call.notes.append(f"${name} stands among the options in line {word.at.line}: what it adds is not imported")
