"""Makes a job from its options: the decisions of StreamJob.setJobConf, as one immutable value.

Source: org.apache.hadoop.streaming.StreamJob (3.4), IdentifierResolver (the -io words),
PipeMapRed.configure and PipeMapper.configure (separators, ignoreKey).
"""

from __future__ import annotations

import getpass
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote_plus

from flowspec.engines.paths import FileSystems
from flowspec.engines.streaming.hadoop import classes
from flowspec.engines.streaming.hadoop.arguments import Arguments, ClientError, refused, uncaught, unsupported
from flowspec.engines.streaming.hadoop.configuration import Configuration, read_conf_file
from flowspec.engines.streaming.hadoop.failure import NOT_CONFIGURED
from flowspec.engines.streaming.hadoop.javalang import parse_number
from flowspec.engines.streaming.hadoop.keyfields import BadOptions, KeyField, parse_key_fields
from flowspec.engines.streaming.run.cache import Shipment, shipments, shorten_shipped_program
from flowspec.facts.machine import usable_cores
from flowspec.facts.uris import split_at_commas

_STREAMING = "org.apache.hadoop.streaming."
_CODECS = {
    "org.apache.hadoop.io.compress.DefaultCodec": "deflate",
    "org.apache.hadoop.io.compress.DeflateCodec": "deflate",
    "org.apache.hadoop.io.compress.GzipCodec": "gz",
    "org.apache.hadoop.io.compress.BZip2Codec": "bz2",
}
_REFUSED = (
    "stream.io.identifier.resolver.class",
    "mapred.output.committer.class",
    "aggregate.max.num.unique.values",
    "mapreduce.aggregate.max.num.unique.values",
)
_MAPPER_NUMBERS = {
    "stream.num.map.output.key.fields": 32,  # bits
    "stream.minRecWrittenToEnableSkip_": 64,
    "stream.jobconf.truncate.limit": 32,
    "stream.joindelay.milli": 64,
}
_REDUCER_NUMBERS = {"stream.num.reduce.output.key.fields": 32, "stream.joindelay.milli": 64}
_OURS = ("FLOWSPEC_SYSLOG", "FLOWSPEC_S3_ROOT", "FLOWSPEC_HDFS_ROOT", "FLOWSPEC_PARALLEL")
_INPUTDIR = "mapreduce.input.fileinputformat.inputdir"
_T = TypeVar("_T")


class Program(NamedTuple):
    """A mapper, combiner or reducer: a command line, or a Java class."""

    command: str = ""
    java: str = ""


class Separators(NamedTuple):
    """The separators at which a command's lines are cut (`output`, the `fields`-th), and those of what it reads."""

    input: bytes
    output: bytes
    fields: int


@dataclass(frozen=True)
class Job:
    """A streaming job with all its settings, except the splits of its input.

    `map_failure` are the causes with which every map task fails, `reduce_failure` those of every reducer or combiner:
    errors in options that Hadoop reads only there.
    """

    id: str
    configuration: Configuration
    files: FileSystems
    inputs: tuple[str, ...]
    output: str
    mapper: Program
    combiner: Program | None
    reducer: Program
    reduces: int
    input_format: str
    output_format: str
    lazy_output: bool
    background: bool
    partitioner: str
    partition_fields: tuple[KeyField, ...]
    sort_fields: tuple[KeyField, ...]
    field_separator: bytes
    map_separators: Separators
    reduce_separators: Separators
    map_key_class: str
    map_value_class: str
    output_separator: bytes
    codec: str
    cmdenv: str
    shipments: tuple[Shipment, ...]
    parallel: int
    map_failure: tuple[str, ...] = ()
    reduce_failure: tuple[str, ...] = ()

    @property
    def output_path(self) -> Path:
        """The output directory on this machine."""
        return self.files.locate(self.output)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment that all commands have: ours and the properties; made once, not for each task."""
        conf = self.configuration
        ours = {name: value for name, value in conf.environ.items() if name not in _OURS}
        return ours | {name: self.truncate(value) for name, value in conf.variables().items()}

    @cached_property
    def given_environment(self) -> Mapping[str, str]:
        """The variables that `-cmdenv` gives."""
        pairs = (pair.partition("=") for pair in self.cmdenv.split(" "))
        return {name: value for name, equals, value in pairs if equals and name}

    def truncate(self, value: str) -> str:
        """Returns the value of a property as it is in the environment."""
        return value[: self._truncate_limit]

    @cached_property
    def _truncate_limit(self) -> int | None:
        limit = self.configuration.integer("stream.jobconf.truncate.limit", -1)
        return limit if limit >= 0 else None


def build(arguments: Arguments, environ: Mapping[str, str], files: FileSystems) -> Job:
    """Makes the job. Raises `ClientError` if Hadoop's client would fail, or if something is not supported."""
    conf = _configuration(arguments, environ, files)
    sent = shipments(arguments, files)
    _check_arguments(arguments)
    try:
        return _Builder(arguments, conf, files).job(tuple(sent), _parallel(environ))
    except ValueError as error:  # IllegalArgumentException: Hadoop's client ends without a message
        raise ClientError(logged=f"Error in the job's options : {error}", status=1) from error


def _configuration(arguments: Arguments, environ: Mapping[str, str], files: FileSystems) -> Configuration:
    given: list[tuple[str, str]] = []
    for name in arguments.generic.get("conf", []):
        try:
            given += read_conf_file(files.locate(name))
        except FileNotFoundError:
            continue  # Configuration.loadResource does not report it
        except (OSError, ValueError) as error:
            raise uncaught(f"java.lang.RuntimeException: {name}: {error}") from error
    given += [_split_pair(text) for text in arguments.generic.get("D", []) if "=" in text]
    for text in arguments.all("jobconf"):
        if "=" not in text:
            raise uncaught("java.lang.ArrayIndexOutOfBoundsException: Index 1 out of bounds for length 1")
        given.append(_split_pair(text))
    user = getpass.getuser()
    system = {
        "user.name": user,
        "user.home": str(Path.home()),
        "user.dir": str(files.working),
        "java.io.tmpdir": "/tmp",  # noqa: S108 - what the JVM says on Linux
    }
    conf = Configuration(given, environ=environ, system=system)
    conf.set("mapreduce.job.user.name", user)
    return conf


def _split_pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _check_arguments(arguments: Arguments) -> None:
    _refuse_options(arguments)
    if not arguments.all("input"):
        raise refused("Required argument: -input <name>")
    if arguments.first("output") is None:
        raise refused("Required argument: -output ")


def _refuse_options(arguments: Arguments) -> None:
    for option in ("libjars", "tokenCacheFile"):
        if option in arguments.generic:
            raise unsupported(f"-{option}")
    for option in ("inputreader", "additionalconfspec"):
        if arguments.first(option) is not None:
            raise unsupported(f"-{option}")
    for filesystem in [*arguments.generic.get("fs", []), *arguments.all("dfs")]:
        if not filesystem.startswith("file:") and filesystem != "local":
            raise unsupported(f"-fs {filesystem}")
    for tracker in arguments.generic.get("jt", []):
        if tracker != "local":
            raise unsupported(f"-jt {tracker}")


def _parallel(environ: Mapping[str, str]) -> int:
    text = environ.get("FLOWSPEC_PARALLEL", "")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    return usable_cores()


class _Builder:
    """Goes through the options in StreamJob's order, setting properties as it does."""

    def __init__(self, arguments: Arguments, conf: Configuration, files: FileSystems) -> None:
        self._arguments = arguments
        self._conf = conf
        self._files = files
        self._map_failure: tuple[str, ...] = ()
        self._reduce_failure: tuple[str, ...] = ()

    def job(self, sent: tuple[Shipment, ...], parallel: int) -> Job:
        inputs = self._inputs()
        input_format = self._input_format()
        self._set_io_classes()
        mapper = self._mapper()
        reducer, combiner = self._reducer(self._combiner())
        key_class, value_class = self._map_classes(mapper, reducer)
        output_format, partitioner = self._output_format(), self._partitioner()
        output = self._output()
        self._refuse_properties()
        conf = self._conf
        self._check_commands(mapper)
        partition_fields, sort_fields = self._partition_fields(partitioner), self._sort_fields()
        self._check_map_task()
        return Job(
            id=f"job_local{random.randrange(10**8, 2**31)}_0001",  # noqa: S311 - a name, not a secret
            configuration=conf,
            files=self._files,
            inputs=tuple(inputs),
            output=output,
            mapper=mapper,
            combiner=combiner,
            reducer=reducer,
            reduces=self._reduces(),
            input_format=input_format,
            output_format=output_format,
            lazy_output=self._arguments.has("lazyOutput"),
            background=self._arguments.has("background"),
            partitioner=partitioner,
            partition_fields=partition_fields,
            sort_fields=sort_fields,
            field_separator=_encode(conf.get("mapreduce.map.output.key.field.separator", "\t")),
            map_separators=self._separators("map"),
            reduce_separators=self._separators("reduce"),
            map_key_class=key_class,
            map_value_class=value_class,
            output_separator=_encode(conf.get("mapreduce.output.textoutputformat.separator", "\t")),
            codec=self._codec(),
            cmdenv=conf.get("stream.addenvironment"),
            shipments=sent,
            parallel=parallel,
            map_failure=self._map_failure,
            reduce_failure=self._reduce_failure,
        )

    def _input_format(self) -> str:
        name = classes.input_format(self._first_or_default("inputformat", "TextInputFormat"))
        self._conf.set("mapred.input.format.class", name)
        return name

    def _output_format(self) -> str:
        name = classes.output_format(self._first_or_default("outputformat", classes.TEXT_OUTPUT))
        self._conf.set("mapred.output.format.class", name)
        return name

    def _first_or_default(self, option: str, default: str) -> str:
        given = self._arguments.first(option)
        return default if given is None else given

    def _partitioner(self) -> str:
        given = self._arguments.first("partitioner")
        if given is None:
            return self._class_of("mapred.partitioner.class", classes.PARTITIONERS) or classes.HASH_PARTITIONER
        self._conf.set("mapred.partitioner.class", classes.partitioner(given))
        return given

    def _class_of(self, name: str, known: tuple[str, ...]) -> str:
        """Returns the class that a property names where no option does; empty for none."""
        given = self._conf.get(name)
        if given and given not in known:
            raise unsupported(f"{name}={given}")
        return given

    def _output(self) -> str:
        conf, output = self._conf, self._files.qualify(self._arguments.first("output") or "")
        conf.set("mapreduce.output.fileoutputformat.outputdir", output)
        conf.set("mapreduce.job.working.dir", self._files.qualify(str(self._files.working)))
        conf.set("mapreduce.client.genericoptionsparser.used", "true")
        if not conf.get("mapreduce.job.name"):
            conf.set("mapreduce.job.name", "hadoop-streaming-3.4.1.jar")
        return output

    def _inputs(self) -> list[str]:
        """Returns the inputs as full URIs, cut at commas but not within braces (FileInputFormat.getPathStrings)."""
        texts = [text for value in self._arguments.all("input") for text in split_at_commas(value)]
        if not all(texts):
            raise ValueError("Can not create a Path from an empty string")
        inputs = [self._files.qualify(text) for text in texts]
        escaped = [uri.replace("\\", "\\\\").replace(",", "\\,") for uri in inputs]
        self._conf.set(_INPUTDIR, ",".join(escaped))
        return inputs

    def _set_io_classes(self) -> None:
        conf = self._conf
        for name in ("map.input", "map.output", "reduce.input", "reduce.output"):
            word = (self._arguments.first("io") or conf.get(f"stream.{name}")).lower()
            if word in ("rawbytes", "typedbytes"):
                raise unsupported(f"stream.{name}={word} (-io {word})")
            if word:  # IdentifierResolver treats every other word as text
                conf.set(f"stream.{name}", word if word == "keyonlytext" else "text")
            prefix = "KeyOnlyText" if word == "keyonlytext" else "Text"
            suffix, role = ("InputWriter", "writer") if name.endswith("input") else ("OutputReader", "reader")
            conf.set(f"stream.{name}.{role}.class", f"{_STREAMING}io.{prefix}{suffix}")
        unset = "HADOOP_ROOT_LOGGER="  # StreamJob.preProcessArgs: for commands that run Hadoop's
        conf.set("stream.addenvironment", " ".join([unset, *self._arguments.all("cmdenv")]))

    def _program(self, role: str, text: str) -> Program:
        java = classes.command_class(role, text)
        if not text and role != "mapper":  # the property is dropped with its empty value, and there is no pipe
            java = classes.IDENTITY_REDUCER
        return Program(java=java) if java else Program(command=text)

    def _mapper(self) -> Program:
        text = self._arguments.first("mapper")
        if text is None:
            return Program(java=self._class_of("mapred.mapper.class", classes.MAPPERS) or classes.IDENTITY_MAPPER)
        program = self._program("mapper", shorten_shipped_program(text, self._arguments))
        if program.java:
            self._conf.set("mapred.mapper.class", program.java)
            return program
        self._conf.set("mapred.mapper.class", _STREAMING + "PipeMapper")
        self._conf.set("mapred.map.runner.class", _STREAMING + "PipeMapRunner")
        self._conf.set("stream.map.streamprocessor", quote_plus(program.command, safe="*"))
        return program

    def _combiner(self) -> Program | None:
        text = self._arguments.first("combiner")
        if text is None:
            java = self._class_of("mapred.combiner.class", classes.REDUCERS)
            return Program(java=java) if java else None
        program = self._program("combiner", shorten_shipped_program(text, self._arguments))
        self._conf.set("mapred.combiner.class", program.java or _STREAMING + "PipeCombiner")
        if not program.java:
            self._conf.set("stream.combine.streamprocessor", quote_plus(program.command, safe="*"))
        return program

    def _reducer(self, combiner: Program | None) -> tuple[Program, Program | None]:
        text = self._arguments.first("reducer")
        number = self._arguments.first("numReduceTasks")
        if number is not None:
            self._conf.set("mapreduce.job.reduces", str(parse_number(number, bits=32)))
        if text == "NONE":
            self._conf.set("mapreduce.job.reduces", "0")
        if text is None or not self._reduces():
            java = self._class_of("mapred.reducer.class", classes.REDUCERS)
            return Program(java=java or classes.IDENTITY_REDUCER), combiner
        if text.lower() == "aggregate":
            self._conf.set("mapred.reducer.class", classes.AGGREGATE_REDUCER)
            self._conf.set("mapred.combiner.class", classes.AGGREGATE_COMBINER)
            return Program(java=classes.AGGREGATE_REDUCER), Program(java=classes.AGGREGATE_COMBINER)
        program = self._program("reducer", shorten_shipped_program(text, self._arguments))
        self._conf.set("mapred.reducer.class", program.java or _STREAMING + "PipeReducer")
        if not program.java:
            self._conf.set("stream.reduce.streamprocessor", quote_plus(program.command, safe="*"))
        return program, combiner

    def _reduces(self) -> int:
        if self._conf.is_blank("mapreduce.job.reduces"):
            raise ValueError('For input string: ""')
        return self._conf.integer("mapreduce.job.reduces", 1)

    def _map_classes(self, mapper: Program, reducer: Program) -> tuple[str, str]:
        """Returns the classes of the map output, which the job insists on; a command's come from its -io word."""
        conf = self._conf
        if mapper.command or conf.get("stream.map.output"):
            self._set_classes("mapreduce.map.output", conf.get("stream.map.output", "text"))
            if not self._reduces():
                self._set_classes("mapreduce.job.output", conf.get("stream.map.output", "text"))
        if reducer.command or conf.get("stream.reduce.output"):
            self._set_classes("mapreduce.job.output", conf.get("stream.reduce.output", "text"))
        key = conf.get("mapreduce.map.output.key.class") or conf.get("mapreduce.job.output.key.class")
        value = conf.get("mapreduce.map.output.value.class") or conf.get("mapreduce.job.output.value.class")
        return key or classes.LONG, value or classes.TEXT

    def _set_classes(self, prefix: str, word: str) -> None:
        self._conf.set(f"{prefix}.key.class", classes.TEXT)
        self._conf.set(f"{prefix}.value.class", classes.NULL if word == "keyonlytext" else classes.TEXT)

    def _separators(self, side: str) -> Separators:
        conf = self._conf
        return Separators(
            input=_encode(conf.get(f"stream.{side}.input.field.separator", "\t")),
            output=_encode(conf.get(f"stream.{side}.output.field.separator", "\t")),
            fields=max(1, self._task_number(f"stream.num.{side}.output.key.fields", 1)),
        )

    def _task_number(self, name: str, default: int) -> int:
        """Returns a number that only the tasks read; if it is not a number, the tasks will fail."""
        return default if self._bad_number(name) else self._conf.integer(name, default)

    def _bad_number(self, name: str, bits: int = 32) -> str:
        """Returns the error in a number that only the tasks read, "" if there is none."""
        try:
            self._conf.integer(name, 0, bits=bits)
        except ValueError as error:
            return f"java.lang.NumberFormatException: {error}"
        return ""

    def _check_commands(self, mapper: Program) -> None:
        """Checks the numbers that PipeMapRed, PipeMapper and PipeReducer read when they are configured."""
        for name, bits in _REDUCER_NUMBERS.items():
            if cause := self._bad_number(name, bits):
                self._reduce_failure = (NOT_CONFIGURED, cause)
        for name, bits in _MAPPER_NUMBERS.items():
            cause = self._bad_number(name, bits)
            if cause and mapper.command:
                self._map_failure = (NOT_CONFIGURED, NOT_CONFIGURED, cause)

    def _check_map_task(self) -> None:
        """Checks the numbers that MapTask reads: first its reader, then its sorter (MapOutputBuffer.init)."""
        if self._reduces() and (cause := self._bad_sort_buffer()):
            self._map_failure = _no_collector(cause)
        for name in ("mapreduce.job.counters.max", "mapreduce.input.linerecordreader.line.maxlength"):
            if cause := self._bad_number(name):
                self._map_failure = (cause,)

    def _bad_sort_buffer(self) -> str:
        name = "mapreduce.task.io.sort.mb"
        if cause := self._bad_number(name):
            return cause
        size = self._conf.integer(name, 100)
        if not 0 <= size < 2048:
            return f'java.io.IOException: Invalid "{name}": {size}'
        return "" if size else "java.lang.ArithmeticException: / by zero"

    def _partition_fields(self, partitioner: str) -> tuple[KeyField, ...]:
        if partitioner != classes.KEY_FIELD_PARTITIONER:
            return ()
        name = "num.key.fields.for.partition"
        if (cause := self._bad_number(name)) and self._reduces() > 1:
            self._map_failure = (cause,)
        if self._conf.get(name):
            return (KeyField(end=self._task_number(name, 0)),)
        try:
            return parse_key_fields(self._conf.get("mapreduce.partition.keypartitioner.options"))
        except BadOptions as error:
            if self._reduces() > 1:
                self._map_failure = (str(error),)
            return ()

    def _sort_fields(self) -> tuple[KeyField, ...]:
        name = self._conf.get("mapreduce.job.output.key.comparator.class")
        if not name:
            return ()
        if name not in classes.KEY_FIELD_COMPARATORS:
            raise unsupported(f"mapreduce.job.output.key.comparator.class={name}")
        try:
            return parse_key_fields(self._conf.get("mapreduce.partition.keycomparator.options"))
        except BadOptions as error:
            if self._reduces():
                self._map_failure = _no_collector(str(error))
            return ()

    def _codec(self) -> str:
        if not self._conf.boolean("mapreduce.output.fileoutputformat.compress"):
            return ""
        name = self._conf.get("mapreduce.output.fileoutputformat.compress.codec")
        if name not in _CODECS:
            raise unsupported(f"mapreduce.output.fileoutputformat.compress.codec={name}")
        return _CODECS[name]

    def _refuse_properties(self) -> None:
        """Refuses properties that would change the result and that this engine does not support."""
        for name in ("mapred.mapper.new-api", "mapred.reducer.new-api"):
            if self._conf.boolean(name):
                raise unsupported(f"{name}=true")
        for name in _REFUSED:
            if self._conf.get(name):
                raise unsupported(f"{name}={self._conf.get(name)}")
        grouping = self._conf.get("mapreduce.job.output.group.comparator.class")
        if grouping and grouping not in classes.KEY_FIELD_COMPARATORS:
            raise unsupported(f"mapreduce.job.output.group.comparator.class={grouping}")


def _no_collector(cause: str) -> tuple[str, str]:
    said = f"Initialization of all the collectors failed. Error in last collector was:{cause}"
    return f"java.io.IOException: {said}", cause


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
