"""The properties of a job: defaults, old names, `${...}`, and the environment they become.

Sources: org.apache.hadoop.conf.Configuration (expansion, deprecations),
org.apache.hadoop.mapreduce.util.ConfigUtil (old names), mapred-default.xml (defaults),
org.apache.hadoop.streaming.PipeMapRed.addJobConfToEnvironment (variables).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from flowspec.engines.streaming.hadoop.javalang import parse_number

_VARIABLE = re.compile(r"\$\{([^}$ ]+)\}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]")
_HEXADECIMAL = re.compile(r"(-?)0[xX](.*)")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAX_EXPANSIONS = 20  # Configuration.MAX_SUBST

# old name -> new name
_RENAMED = """
mapred.reduce.tasks mapreduce.job.reduces
mapred.map.tasks mapreduce.job.maps
mapred.job.name mapreduce.job.name
mapred.job.id mapreduce.job.id
mapred.tip.id mapreduce.task.id
mapred.task.id mapreduce.task.attempt.id
mapred.task.is.map mapreduce.task.ismap
mapred.task.partition mapreduce.task.partition
mapred.work.output.dir mapreduce.task.output.dir
mapred.skip.on mapreduce.job.skiprecords
user.name mapreduce.job.user.name
map.input.file mapreduce.map.input.file
map.input.start mapreduce.map.input.start
map.input.length mapreduce.map.input.length
mapred.input.dir mapreduce.input.fileinputformat.inputdir
mapred.output.dir mapreduce.output.fileoutputformat.outputdir
mapred.input.dir.recursive mapreduce.input.fileinputformat.input.dir.recursive
mapred.min.split.size mapreduce.input.fileinputformat.split.minsize
mapred.max.split.size mapreduce.input.fileinputformat.split.maxsize
mapred.line.input.format.linespermap mapreduce.input.lineinputformat.linespermap
key.value.separator.in.input.line mapreduce.input.keyvaluelinerecordreader.key.value.separator
mapred.linerecordreader.maxlength mapreduce.input.linerecordreader.line.maxlength
mapred.output.compress mapreduce.output.fileoutputformat.compress
mapred.output.compression.codec mapreduce.output.fileoutputformat.compress.codec
mapred.output.compression.type mapreduce.output.fileoutputformat.compress.type
mapred.textoutputformat.separator mapreduce.output.textoutputformat.separator
mapred.compress.map.output mapreduce.map.output.compress
mapred.map.output.compression.codec mapreduce.map.output.compress.codec
map.output.key.field.separator mapreduce.map.output.key.field.separator
mapred.text.key.partitioner.options mapreduce.partition.keypartitioner.options
mapred.text.key.comparator.options mapreduce.partition.keycomparator.options
mapred.output.key.comparator.class mapreduce.job.output.key.comparator.class
mapred.output.value.groupfn.class mapreduce.job.output.group.comparator.class
mapred.output.key.class mapreduce.job.output.key.class
mapred.output.value.class mapreduce.job.output.value.class
mapred.mapoutput.key.class mapreduce.map.output.key.class
mapred.mapoutput.value.class mapreduce.map.output.value.class
mapred.map.max.attempts mapreduce.map.maxattempts
mapred.reduce.max.attempts mapreduce.reduce.maxattempts
mapred.max.map.failures.percent mapreduce.map.failures.maxpercent
mapred.max.reduce.failures.percent mapreduce.reduce.failures.maxpercent
mapred.map.tasks.speculative.execution mapreduce.map.speculative
mapred.reduce.tasks.speculative.execution mapreduce.reduce.speculative
mapred.task.timeout mapreduce.task.timeout
mapred.job.queue.name mapreduce.job.queuename
mapred.job.priority mapreduce.job.priority
mapred.cache.files mapreduce.job.cache.files
mapred.cache.archives mapreduce.job.cache.archives
mapred.job.tracker mapreduce.jobtracker.address
mapred.local.dir mapreduce.cluster.local.dir
mapred.temp.dir mapreduce.cluster.temp.dir
mapred.map.child.java.opts mapreduce.map.java.opts
mapred.reduce.child.java.opts mapreduce.reduce.java.opts
mapred.job.map.memory.mb mapreduce.map.memory.mb
mapred.job.reduce.memory.mb mapreduce.reduce.memory.mb
mapred.reduce.slowstart.completed.maps mapreduce.job.reduce.slowstart.completedmaps
mapred.reduce.parallel.copies mapreduce.reduce.shuffle.parallelcopies
mapred.userlog.limit.kb mapreduce.task.userlog.limit.kb
mapred.job.reuse.jvm.num.tasks mapreduce.job.jvm.numtasks
io.sort.mb mapreduce.task.io.sort.mb
io.sort.factor mapreduce.task.io.sort.factor
io.sort.spill.percent mapreduce.map.sort.spill.percent
min.num.spills.for.combine mapreduce.map.combine.minspills
keep.failed.task.files mapreduce.task.files.preserve.failedtasks
fs.default.name fs.defaultFS
"""
NEW_NAMES: dict[str, str] = dict(line.split() for line in _RENAMED.strip().splitlines())
OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}

_DEFAULTS = """
dfs.blocksize=134217728
fs.defaultFS=file:///
fs.local.block.size=33554432
fs.permissions.umask-mode=022
fs.trash.interval=0
hadoop.security.authentication=simple
hadoop.security.authorization=false
io.compression.codec.bzip2.library=system-native
io.file.buffer.size=4096
io.map.index.skip=0
io.seqfile.compress.blocksize=1000000
io.serializations=org.apache.hadoop.io.serializer.WritableSerialization, \
org.apache.hadoop.io.serializer.avro.AvroSpecificSerialization, \
org.apache.hadoop.io.serializer.avro.AvroReflectSerialization
mapreduce.client.completion.pollinterval=5000
mapreduce.client.output.filter=FAILED
mapreduce.client.progressmonitor.pollinterval=1000
mapreduce.client.submit.file.replication=10
mapreduce.fileoutputcommitter.algorithm.version=2
mapreduce.fileoutputcommitter.task.cleanup.enabled=false
mapreduce.framework.name=local
mapreduce.ifile.readahead=true
mapreduce.ifile.readahead.bytes=4194304
mapreduce.input.fileinputformat.list-status.num-threads=1
mapreduce.input.fileinputformat.split.minsize=0
mapreduce.input.lineinputformat.linespermap=1
mapreduce.job.cache.limit.max-resources=0
mapreduce.job.classloader=false
mapreduce.job.committer.setup.cleanup.needed=true
mapreduce.job.complete.cancel.delegation.tokens=true
mapreduce.job.counters.max=120
mapreduce.job.end-notification.max.attempts=5
mapreduce.job.end-notification.retry.attempts=0
mapreduce.job.end-notification.retry.interval=1000
mapreduce.job.jvm.numtasks=1
mapreduce.job.maps=2
mapreduce.job.max.split.locations=15
mapreduce.job.queuename=default
mapreduce.job.reduce.slowstart.completedmaps=0.05
mapreduce.job.reduces=1
mapreduce.job.running.map.limit=0
mapreduce.job.running.reduce.limit=0
mapreduce.job.speculative.speculative-cap-running-tasks=0.1
mapreduce.job.split.metainfo.maxsize=10000000
mapreduce.job.token.tracking.ids.enabled=false
mapreduce.job.ubertask.enable=false
mapreduce.job.ubertask.maxmaps=9
mapreduce.job.ubertask.maxreduces=1
mapreduce.job.userlog.retain.hours=24
mapreduce.local.map.tasks.maximum=1
mapreduce.local.reduce.tasks.maximum=1
mapreduce.map.cpu.vcores=1
mapreduce.map.log.level=INFO
mapreduce.map.maxattempts=4
mapreduce.map.memory.mb=-1
mapreduce.map.output.compress=false
mapreduce.map.output.compress.codec=org.apache.hadoop.io.compress.DefaultCodec
mapreduce.map.skip.maxrecords=0
mapreduce.map.skip.proc-count.auto-incr=true
mapreduce.map.sort.spill.percent=0.80
mapreduce.map.speculative=true
mapreduce.output.fileoutputformat.compress=false
mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.DefaultCodec
mapreduce.output.fileoutputformat.compress.type=RECORD
mapreduce.reduce.cpu.vcores=1
mapreduce.reduce.input.buffer.percent=0.0
mapreduce.reduce.log.level=INFO
mapreduce.reduce.markreset.buffer.percent=0.0
mapreduce.reduce.maxattempts=4
mapreduce.reduce.memory.mb=-1
mapreduce.reduce.merge.inmem.threshold=1000
mapreduce.reduce.shuffle.input.buffer.percent=0.70
mapreduce.reduce.shuffle.memory.limit.percent=0.25
mapreduce.reduce.shuffle.merge.percent=0.66
mapreduce.reduce.shuffle.parallelcopies=5
mapreduce.reduce.skip.maxgroups=0
mapreduce.reduce.skip.proc-count.auto-incr=true
mapreduce.reduce.speculative=true
mapreduce.shuffle.port=13562
mapreduce.task.combine.progress.records=10000
mapreduce.task.exit.timeout=60000
mapreduce.task.files.preserve.failedtasks=false
mapreduce.task.io.sort.factor=10
mapreduce.task.io.sort.mb=100
mapreduce.task.merge.progress.records=10000
mapreduce.task.profile=false
mapreduce.task.skip.start.attempts=2
mapreduce.task.timeout=600000
mapreduce.task.userlog.limit.kb=0
"""
DEFAULTS: dict[str, str] = dict(line.split("=", 1) for line in _DEFAULTS.strip().splitlines())


class Configuration:
    """The properties of a job as its tasks see them: strings under their new names.

    `given` are the properties the user set, in the order they were set, old names and new; `system`
    what `${user.name}`, `${user.home}`, `${user.dir}` and `${java.io.tmpdir}` stand for. Where both the
    old and the new name of a property were given, the new one counts.
    """

    def __init__(
        self,
        given: Iterable[tuple[str, str]],
        *,
        environ: Mapping[str, str],
        system: Mapping[str, str],
    ) -> None:
        user: dict[str, str] = {}
        for name, value in given:
            user[name.strip()] = value
        renamed = {NEW_NAMES[name]: value for name, value in user.items() if name in NEW_NAMES}
        current = {name: value for name, value in user.items() if name not in NEW_NAMES}
        self._raw = {**DEFAULTS, **renamed, **current}
        self._given = frozenset({*renamed, *current})
        self._variables: dict[str, str] = {}
        # A copy, since os.environ decodes a value at each access.
        self.environ = dict(environ)
        self._system = system

    def set(self, name: str, value: str) -> None:
        """Sets a property, as the client does from its options."""
        self._raw[name] = value
        self._variables.clear()

    def get(self, name: str, default: str = "") -> str:
        """Returns the expanded value; an empty value counts as missing (the job file drops it)."""
        raw = self._raw.get(name, "")
        return self._expand(raw) if raw else default

    def is_given(self, name: str) -> bool:
        """Returns True if the user set the property, by its new or its old name."""
        return name in self._given

    def illegal_character(self) -> str:
        """Returns the first character of a value that the job file (XML) can't hold; empty where there is none."""
        found = (_NOT_IN_XML.search(value) for value in self._raw.values())
        return next((match[0] for match in found if match), "")

    def is_blank(self, name: str) -> bool:
        """Returns True if an empty value was given. The client refuses it as a number, though tasks never see it."""
        return self._raw.get(name) == ""

    def integer(self, name: str, default: int, *, bits: int = 32) -> int:
        """Returns the value as a number: that of getInt, of getLong with 64 `bits`. Raises `ValueError`."""
        text = self.get(name).strip()
        if not text:
            return default
        if hexadecimal := _HEXADECIMAL.fullmatch(text):  # Configuration.getHexDigits
            return parse_number(hexadecimal[1] + hexadecimal[2], bits=bits, radix=16)
        return parse_number(text, bits=bits)

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Reads `true` or `false` in upper or lower case; any other value counts as missing."""
        return {"true": True, "false": False}.get(self.get(name).strip().lower(), default)

    def variables(self) -> Mapping[str, str]:
        """Returns the environment variables of all properties that are not empty; expanded once for all tasks."""
        if not self._variables:
            self._variables.update((variable_name(name), value) for name in self._raw if (value := self.get(name)))
        return self._variables

    def _expand(self, text: str) -> str:
        for _ in range(_MAX_EXPANSIONS):
            found = _VARIABLE.search(text)
            if not found:
                return text
            value = self._variable(found[1])
            if value is None:
                return text
            text = text[: found.start()] + value + text[found.end() :]
        return text

    def _variable(self, name: str) -> str | None:
        if name.startswith("env."):
            variable, dash, default = name[4:].partition("-")
            value = self.environ.get(variable.rstrip(":"))
            unset = value is None or (not value and variable.endswith(":"))
            return (default if dash else None) if unset else value
        return self._system.get(name) or self._raw.get(name)


def read_conf_file(path: Path) -> list[tuple[str, str]]:
    """Returns the properties of a `-conf` file. Raises `OSError` or `ValueError` where it can't be read."""
    import xml.etree.ElementTree as ET

    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314 - a file of the user's own, who may run any program here
    except ET.ParseError as error:
        raise ValueError(f"{path}: {error}") from error
    pairs = ((entry.findtext("name"), entry.findtext("value")) for entry in root.iter("property"))
    return [(name, value or "") for name, value in pairs if name]


@functools.cache  # each task asks for the same 25, which took 0.1 ms of the 0.9 ms of Python for a tiny map
def variable_name(name: str) -> str:
    """Returns the environment variable of a property: every character but ASCII letters and digits becomes `_`."""
    return _NOT_IN_A_NAME.sub("_", name)
