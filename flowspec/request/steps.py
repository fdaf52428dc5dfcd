"""Steps -> HadoopJarStep, in the form that the release wants.

Releases from 4.0.0 on run everything through command-runner.jar; the AMI versions before have a jar on
the master for streaming, and script-runner.jar in S3 for the rest. Sources: the EMR release guide
(command-runner), the AWS CLI's expansion of `--steps`, boto 2's `boto.emr.step`; for streaming, the
order that Hadoop's option parser wants: generic options (-D, -files …) before all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from flowspec.request.assets import Asset, Files, is_relative, is_s3, looks_like_file

Step: TypeAlias = "Mapping[str, Any]"
Path: TypeAlias = "tuple[str | int, ...]"

COMMAND_RUNNER = "command-runner.jar"
OLD_STREAMING = "/home/hadoop/contrib/streaming/hadoop-streaming.jar"

# Hadoop cuts commands at blanks; quotes group, and a quote ends the word before it.
_FIRST_WORD = re.compile(r" *(?:'([^']*)'|\"([^\"]*)\"|([^ '\"]+))")


class World(NamedTuple):
    """What decides the form of a step: the AMI version (None: a release label, or nothing said) and the region."""

    ami_version: str | None
    region: str
    local: bool

    @property
    def script_runner(self) -> str:
        """The region's script-runner.jar, which runs a script or program on the master."""
        return f"s3://{self.region}.elasticmapreduce/libs/script-runner/script-runner.jar"


def hadoop_jar_step(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    """The HadoopJarStep of a step; `at` is its path in the spec."""
    return _KINDS[step["type"]](step, at, world, files)


def debugging_step(world: World) -> dict[str, Any]:
    """The step that EMR's debugging needs, as the AWS CLI writes it."""
    if world.ami_version is None:
        jar: dict[str, Any] = {"Jar": COMMAND_RUNNER, "Args": ["state-pusher-script"]}
    else:
        fetch = f"s3://{world.region}.elasticmapreduce/libs/state-pusher/0.1/fetch"
        jar = {"Jar": world.script_runner, "Args": [fetch]}
    return {"Name": "Setup Hadoop Debugging", "ActionOnFailure": "TERMINATE_CLUSTER", "HadoopJarStep": jar}


def _command(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:  # noqa: ARG001 - kinds are called alike
    jar = COMMAND_RUNNER if world.ami_version is None else world.script_runner
    return {"Jar": jar, "Args": list(step["args"])}


def _jar(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:  # noqa: ARG001
    jar = step["jar"]
    if is_relative(jar) and jar != COMMAND_RUNNER:
        asset = files.asset(jar, (*at, "jar"))
        jar = asset.uri if asset else jar
    out: dict[str, Any] = {"Jar": jar}
    if "main_class" in step:
        out["MainClass"] = step["main_class"]
    if "args" in step:
        out["Args"] = list(step["args"])
    if "properties" in step:
        out["Properties"] = [{"Key": key, "Value": value} for key, value in step["properties"].items()]
    return out


def _streaming(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    shipped = _Shipped(files)
    # Names that scripts rely on are given out first; those of the commands can give way.
    listed = [shipped.listed(text, (*at, "files", index)) for index, text in enumerate(step.get("files", ()))]
    commands: list[str] = []
    for option in ("mapper", "combiner", "reducer"):
        if option in step:
            commands += [f"-{option}", shipped.command(step[option], (*at, option))]
    generic = [word for key, value in step.get("properties", {}).items() for word in ("-D", f"{key}={value}")]
    if shipped.commands or listed:
        generic += ["-files", _comma_list([*shipped.commands, *listed])]
    for option in ("archives", "libjars"):
        if step.get(option):
            generic += [
                f"-{option}",
                _comma_list(shipped.uri(text, (*at, option, i)) for i, text in enumerate(step[option])),
            ]
    args = [*generic, *commands, *_paths(step, world, files), *_options(step), *step.get("args", ())]
    if world.ami_version is not None:
        return {"Jar": OLD_STREAMING, "Args": args}
    return {"Jar": COMMAND_RUNNER, "Args": ["hadoop-streaming", *args]}


def _comma_list(uris: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(uris))


def _paths(step: Step, world: World, files: Files) -> list[str]:
    inputs = step["input"] if isinstance(step["input"], list) else [step["input"]]
    words = [word for one in inputs for word in ("-input", placed(one, world, files))]
    return [*words, "-output", placed(step["output"], world, files)]


def placed(text: str, world: World, files: Files) -> str:
    """A path of data: on this machine a relative one starts at the spec's folder; elsewhere it is left alone."""
    if not world.local:
        return text
    return ",".join(_placed(part, files) for part in re.split(r",(?![^{]*\})", text))


def _placed(text: str, files: Files) -> str:
    if not is_relative(text):
        return text
    return str(files.absolute(text)) + ("/" if text.endswith("/") else "")


def _options(step: Step) -> list[str]:
    words = []
    for key, option in (
        ("input_format", "-inputformat"),
        ("output_format", "-outputformat"),
        ("partitioner", "-partitioner"),
        ("num_reduce_tasks", "-numReduceTasks"),
    ):
        if key in step:
            words += [option, str(step[key])]
    for name, value in step.get("cmdenv", {}).items():
        words += ["-cmdenv", f"{name}={value}"]
    return words


_KINDS: dict[str, Callable[[Step, Path, World, Files], dict[str, Any]]] = {
    "streaming": _streaming,
    "jar": _jar,
    "command": _command,
}


class _Shipped:
    """What one streaming step ships with -files, and under which names; no name stands for two contents."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.commands: list[str] = []
        self._names: dict[str, str] = {}

    def command(self, command: str | None, at: Path) -> str:
        """The command with its first word replaced by the name it is shipped under, when that is a file."""
        if command is None or command.lower() == "none":
            return "NONE"
        match = _FIRST_WORD.match(command)
        if not match:
            return command
        name = self._program(next(group for group in match.groups() if group is not None), at)
        return command if name is None else name + command[match.end() :]

    def _program(self, word: str, at: Path) -> str | None:
        if is_s3(word):
            uri, _, fragment = word.partition("#")
            return self._named(uri, fragment or PurePosixPath(uri).name, "")
        if not is_relative(word):
            return None
        path = self.files.absolute(word)
        if not looks_like_file(word) and not path.exists():
            return None
        asset = self._asset(word, at)
        return self._named(asset.uri, asset.name, asset.sha256[:8]) if asset else None

    def _named(self, uri: str, name: str, mark: str) -> str:
        if self._names.get(name, uri) != uri:
            stem, dot, suffix = name.rpartition(".")
            mark = mark or str(len(self._names) + 1)
            name = f"{stem}-{mark}.{suffix}" if dot and stem else f"{name}-{mark}"
        self._names[name] = uri
        self.commands.append(_linked(uri, name))
        return name

    def listed(self, text: str, at: Path) -> str:
        """An entry of `files`: `path` or `path#name`."""
        path, _, name = text.partition("#")
        uri = self.uri(path, at)
        name = name or PurePosixPath(path).name
        if self._names.setdefault(name, uri) != uri:
            self.files.report(
                "FS405", at, f"another file is shipped as '{name}' already", hint="give it another name: path#name"
            )
        return _linked(uri, name)

    def uri(self, text: str, at: Path) -> str:
        """The URI of a file to ship: its asset's when it is local; a `#name` is kept."""
        path, mark, name = text.partition("#")
        if not is_relative(path):
            return text
        asset = self._asset(path, at)
        return f"{asset.uri}{mark}{name}" if asset else text

    def _asset(self, path: str, at: Path) -> Asset | None:
        asset = self.files.asset(path, at)
        odd = re.search("[,#]", asset.uri) if asset else None
        if asset and odd:
            message = f"Hadoop can't ship a file whose path has '{odd[0]}' in it"
            self.files.report("FS405", at, message, hint="move it to another folder", notes=(asset.uri,))
        return asset


def _linked(uri: str, name: str) -> str:
    return uri if PurePosixPath(uri.partition("#")[0]).name == name else f"{uri.partition('#')[0]}#{name}"
