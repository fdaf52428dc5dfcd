"""Steps -> HadoopJarStep, in the form that the release wants.

Releases from 4.0.0 on run everything through command-runner.jar; the AMI versions before have a jar on
the master for streaming, and script-runner.jar in S3 for the rest. Sources: the EMR release guide
(command-runner), the AWS CLI's expansion of `--steps`, boto 2's `boto.emr.step`.

Options stand in the order in which the step gives them, so that any order can be said; only Hadoop's
generic options (-D, -files …) always come before those of streaming, as its option parser wants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from flowspec.facts.uris import is_s3, split_at_commas
from flowspec.request import options
from flowspec.request.assets import Asset, Files, is_relative, looks_like_file

Step: TypeAlias = "Mapping[str, Any]"
Path: TypeAlias = "tuple[str | int, ...]"

COMMAND_RUNNER = "command-runner.jar"
OLD_STREAMING = "/home/hadoop/contrib/streaming/hadoop-streaming.jar"
OLD_S3_DIST_CP = "/home/hadoop/lib/emr-s3distcp-1.0.jar"
DEFAULT_REGION = "us-east-1"

_COMMANDS = ("mapper", "combiner", "reducer")
_LINKED = ("files", "archives", "cache_files", "cache_archives")

# Hadoop cuts commands at blanks; quotes group, and a quote ends the word before it.
_FIRST_WORD = re.compile(r" *(?:'([^']*)'|\"([^\"]*)\"|([^ '\"]+))")


class World(NamedTuple):
    """What decides the form of a step: whether it is for an AMI from before release 4.0.0, the region, the backend."""

    old: bool
    region: str
    local: bool

    @classmethod
    def of(cls, fields: Mapping[str, Any], region: str | None, backend: str) -> World:
        """The world of a spec's members. hadoop_version alone means an AMI too: releases don't take it.

        A spec that says none of them runs as the newest release does.
        """
        amis = "ami_version" in fields or ("hadoop_version" in fields and "release_label" not in fields)
        return cls(amis, region or DEFAULT_REGION, backend == "local")

    def library(self, path: str) -> str:
        """A file of the region's own bucket of libraries."""
        return f"s3://{self.region}.elasticmapreduce/libs/{path}"

    @property
    def script_runner(self) -> str:
        """The region's script-runner.jar, which runs a script or program on the master."""
        return self.library("script-runner/script-runner.jar")


def hadoop_jar_step(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    """The HadoopJarStep of a step; `at` is its path in the spec."""
    return _KINDS[step["type"]](step, at, world, files)


def debugging_step(world: World) -> dict[str, Any]:
    """The step that EMR's debugging needs, as the AWS CLI writes it."""
    fetch = [world.library("state-pusher/0.1/fetch")]
    jar = _run(world, fetch) if world.old else _run(world, ["state-pusher-script"])
    return {"Name": "Setup Hadoop Debugging", "ActionOnFailure": "TERMINATE_CLUSTER", "HadoopJarStep": jar}


def _run(world: World, args: Iterable[str]) -> dict[str, Any]:
    """Words that are run on the master."""
    return {"Jar": world.script_runner if world.old else COMMAND_RUNNER, "Args": list(args)}


def _command(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:  # noqa: ARG001 - kinds are called alike
    return _run(world, step["args"])


def _script(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    script = _local(step, "script", at, files)
    return {"Jar": world.script_runner, "Args": [script, *step.get("args", ())]}


def _jar(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:  # noqa: ARG001
    jar = step["jar"]
    out: dict[str, Any] = {"Jar": jar if jar == COMMAND_RUNNER else _local(step, "jar", at, files)}
    if "main_class" in step:
        out["MainClass"] = step["main_class"]
    if "args" in step:
        out["Args"] = list(step["args"])
    if "properties" in step:
        out["Properties"] = [key_value(*one) for one in step["properties"].items()]
    return out


def key_value(key: str, value: str | None) -> dict[str, str]:
    """A pair as the API has it; null is a key without a value."""
    return {"Key": key} if value is None else {"Key": key, "Value": value}


def _local(step: Step, key: str, at: Path, files: Files) -> str:
    """The file that a key names, as the request names it: by its asset's URI when it is local."""
    return _asset_uri(step[key], (*at, key), files) if _stages(step) else str(step[key])


def _asset_uri(text: str, at: Path, files: Files) -> str:
    path, mark, name = text.partition("#")
    if not is_relative(path):
        return text
    asset = files.asset(path, at)
    return asset.linked(f"{mark}{name}", at) if asset else text


def _stages(step: Step) -> bool:
    return bool(step.get("stage", True))


# --- spark, hive, pig, s3-dist-cp ---


def _spark(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    submit = "/home/hadoop/spark/bin/spark-submit" if world.old else "spark-submit"
    given = _words(step, options.SPARK, "spark_args", lambda key: _spark_value(step, key, at, files))
    return _run(world, [submit, *given, _local(step, "application", at, files), *step.get("args", ())])


def _spark_value(step: Step, key: str, at: Path, files: Files) -> Any:
    if key in ("py_files", "jars", "files", "archives") and _stages(step):
        return [_asset_uri(text, (*at, key, index), files) for index, text in enumerate(step[key])]
    return _local(step, key, at, files) if key == "properties_file" else step[key]


def _interpreted(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    program = step["type"]
    head = [f"{program}-script", f"--run-{program}-script"]
    if world.old:
        head = [world.library(f"{program}/{program}-script"), head[1], f"--{program}-versions", "latest"]
    script = _local(step, "script", at, files)
    given = _words(step, options.INTERPRETERS[program], "args", lambda key: script if key == "script" else step[key])
    return _run(world, [*head, "--args", *given])


def _s3_dist_cp(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:  # noqa: ARG001
    args = _words(step, options.S3_DIST_CP, "args", lambda key: step[key])
    return {"Jar": OLD_S3_DIST_CP, "Args": args} if world.old else _run(world, ["s3-dist-cp", *args])


def _words(step: Step, table: options.Table, raw: str, value: Callable[[str], Any]) -> list[str]:
    """The options of a step as words, in its order; those under `raw` are words already."""
    out: list[str] = []
    for key in step:
        if key == raw:
            out += step[key]
        elif key in table:
            out += options.words(table[key], value(key))
    return out


# --- streaming ---


def _streaming(step: Step, at: Path, world: World, files: Files) -> dict[str, Any]:
    shipped = _Shipped(step, at, world, files)
    streaming = [
        word
        for key in step
        if key == "args" or key in options.STREAMING
        for word in _streaming_words(key, step, at, world, shipped)
    ]
    # What the commands ship is known only now, and yet stands first: Hadoop takes generic options only there.
    args = [*_generic_words(step, shipped), *streaming]
    if "jar" in step:
        return {"Jar": _local(step, "jar", at, files), "Args": args}
    return {"Jar": OLD_STREAMING, "Args": args} if world.old else _run(world, ["hadoop-streaming", *args])


def _streaming_words(key: str, step: Step, at: Path, world: World, shipped: _Shipped) -> list[str]:
    value = step[key]
    if key == "args":
        return list(value)
    if key in _COMMANDS:
        value = shipped.command(value, (*at, key))
    elif key == "input":
        value = [
            placed(one, world, shipped.files, (*at, key, index))
            for index, one in enumerate(value if isinstance(value, list) else [value])
        ]
    elif key == "output":
        value = placed(value, world, shipped.files, (*at, key))
    elif key in ("cache_files", "cache_archives"):
        value = [shipped.uri(text, (*at, key, index)) for index, text in enumerate(value)]
    return options.words(options.STREAMING[key], value)


def _generic_words(step: Step, shipped: _Shipped) -> list[str]:
    keys = [key for key in step if key == "generic_args" or key in options.GENERIC]
    if "files" not in keys:
        # Where the schema has it: behind the properties.
        keys.insert(keys.index("properties") + 1 if "properties" in keys else 0, "files")
    args: list[str] = []
    for key in keys:
        if key == "generic_args":
            args += step[key]
        else:
            args += options.words(options.GENERIC[key], step[key] if key == "properties" else shipped.generic(key))
    return args


def placed(text: str, world: World, files: Files, at: Path) -> str:
    """A path of data: on this machine a relative one starts at the spec's folder; elsewhere it is left alone."""
    if not world.local:
        return text
    return ",".join(_placed(part, files, at) for part in split_at_commas(text))


def _placed(text: str, files: Files, at: Path) -> str:
    if not is_relative(text):
        return text
    return str(files.absolute(text, at)) + ("/" if text.endswith("/") else "")


_KINDS: dict[str, Callable[[Step, Path, World, Files], dict[str, Any]]] = {
    "streaming": _streaming,
    "spark": _spark,
    "hive": _interpreted,
    "pig": _interpreted,
    "script": _script,
    "command": _command,
    "s3_dist_cp": _s3_dist_cp,
    "jar": _jar,
}


class _Shipped:
    """What one streaming step ships to its tasks, and under which names; no name stands for two contents."""

    def __init__(self, step: Step, at: Path, world: World, files: Files) -> None:
        self.files = files
        self.stages = _stages(step)
        # Streaming jars from before release 4.0.0 fetch a command from S3 by themselves.
        self.fetches = world.old
        self._commands: list[str] = []
        self._names: dict[str, str] = {}
        self._links = {_link(text) for key in _LINKED for text in step.get(key, ())}
        # Names that scripts rely on are given out first; those of the commands can give way.
        self._uris = {
            "files": [self._listed(text, (*at, "files", index)) for index, text in enumerate(step.get("files", ()))],
            **{
                key: [self.uri(text, (*at, key, index)) for index, text in enumerate(step.get(key, ()))]
                for key in ("archives", "libjars")
            },
        }

    def generic(self, key: str) -> list[str]:
        """The URIs for -files, -archives or -libjars; the first has what the commands so far need, too."""
        return list(dict.fromkeys([*(self._commands if key == "files" else ()), *self._uris[key]]))

    def command(self, command: str | None, at: Path) -> str:
        """The command with its first word replaced by the name it is shipped under, when that is a file."""
        if command is None or command.lower() == "none":
            return "NONE"
        match = _FIRST_WORD.match(command)
        if not match or not self.stages:
            return command
        name = self._program(next(group for group in match.groups() if group is not None), at)
        return command if name is None else name + command[match.end() :]

    def _program(self, word: str, at: Path) -> str | None:
        if is_s3(word):
            uri, _, fragment = word.partition("#")
            return None if self.fetches else self._named(uri, fragment or PurePosixPath(uri).name, "")
        # What is shipped by name already, or stands in an archive that is, is run from there.
        if not is_relative(word) or PurePosixPath(word).parts[:1] in {(link,) for link in self._links}:
            return None
        path = self.files.absolute(word, at)
        # Unlike Path's, this one knows that a name too long for the file system is no file.
        if not looks_like_file(word) and not os.path.exists(path):  # noqa: PTH110
            return None
        asset = self._asset(word, at)
        return self._named(asset.uri, asset.name, asset.sha256[:8]) if asset else None

    def _named(self, uri: str, name: str, mark: str) -> str:
        if self._names.get(name, uri) != uri:
            stem, dot, suffix = name.rpartition(".")
            mark = mark or str(len(self._names) + 1)
            name = f"{stem}-{mark}.{suffix}" if dot and stem else f"{name}-{mark}"
        self._names[name] = uri
        self._commands.append(_linked(uri, name))
        return name

    def _listed(self, text: str, at: Path) -> str:
        """An entry of `files`: `path` or `path#name`."""
        path, mark, _ = text.partition("#")
        uri, name = self.uri(path, at), _link(text)
        if self._names.setdefault(name, uri) != uri:
            self.files.report(
                "FS405", at, f"another file is shipped as '{name}' already", hint="give it another name: path#name"
            )
        return f"{uri}{text[len(path) :]}" if mark else _linked(uri, name)

    def uri(self, text: str, at: Path) -> str:
        """The URI of a file to ship: its asset's when it is local; a `#name` is kept."""
        path, mark, name = text.partition("#")
        if not self.stages or not is_relative(path):
            return text
        asset = self._asset(path, at)
        return asset.linked(f"{mark}{name}", at) if asset else text

    def _asset(self, path: str, at: Path) -> Asset | None:
        asset = self.files.asset(path, at)
        odd = re.search("[,#]", asset.uri) if asset else None
        if asset and odd:
            message = f"Hadoop can't ship a file whose path has '{odd[0]}' in it"
            self.files.report("FS405", at, message, hint="move it to another folder", notes=(asset.uri,))
        return asset


def _linked(uri: str, name: str) -> str:
    return uri if PurePosixPath(uri.partition("#")[0]).name == name else f"{uri.partition('#')[0]}#{name}"


def _link(text: str) -> str:
    """The name that an entry of a list of files has where the tasks run."""
    path, _, name = text.partition("#")
    return name or PurePosixPath(path).name
