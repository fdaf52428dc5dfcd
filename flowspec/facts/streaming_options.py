"""The command-line options of Hadoop Streaming: one table for a spec's streaming steps and for the local engine.

Sources: org.apache.hadoop.util.GenericOptionsParser for `GENERIC`, org.apache.hadoop.streaming.StreamJob.setupOptions
for `STREAMING`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Form: TypeAlias = Literal["value", "number", "switch", "commas", "each", "one_or_each", "pairs"]
"""The form of an option's value on a command line.

    value         flag text
    number        flag 4
    switch        flag, without a value
    commas        flag a,b
    each          flag a flag b
    one_or_each   the same; a single value may be given without a list
    pairs         flag k=v flag k=v
"""

LINKED = ("files", "archives", "cache_files", "cache_archives")
"""The keys of a streaming step whose files are links in the working folder of its tasks."""


REDUCES = ("mapreduce.job.reduces", "mapred.reduce.tasks")
"""The names of the property of how many reduce tasks a job has."""


class StreamingOption(NamedTuple):
    """An option: its `flag` without the dash, and the `form` of its value.

    `key` is its name in a streaming step of a spec. An option without one (a synonym, or obsolete) is written
    in the step's `args` or `generic_args`. `overrides` are the properties that it sets, by all their names: options
    are applied after properties (StreamJob.setJobConf).
    """

    flag: str
    key: str = ""
    form: Form = "value"
    overrides: tuple[str, ...] = ()


GENERIC = (
    StreamingOption("D", "properties", "pairs"),
    StreamingOption("conf"),
    StreamingOption("fs"),
    StreamingOption("jt"),
    StreamingOption("files", "files", "commas"),
    StreamingOption("archives", "archives", "commas"),
    StreamingOption("libjars", "libjars", "commas"),
    StreamingOption("tokenCacheFile"),
)
"""Hadoop's own options, which its parser accepts only before those of Streaming."""

STREAMING = (
    StreamingOption("mapper", "mapper"),
    StreamingOption("combiner", "combiner"),
    StreamingOption("reducer", "reducer"),
    StreamingOption("input", "input", "one_or_each"),
    StreamingOption("output", "output", overrides=("mapreduce.output.fileoutputformat.outputdir", "mapred.output.dir")),
    StreamingOption("inputformat", "input_format", overrides=("mapred.input.format.class",)),
    StreamingOption("outputformat", "output_format", overrides=("mapred.output.format.class",)),
    StreamingOption("partitioner", "partitioner", overrides=("mapred.partitioner.class",)),
    StreamingOption("numReduceTasks", "num_reduce_tasks", "number", REDUCES),
    StreamingOption("cmdenv", "cmdenv", "pairs"),
    StreamingOption("inputreader", "input_reader"),
    StreamingOption("mapdebug", "map_debug"),
    StreamingOption("reducedebug", "reduce_debug"),
    StreamingOption("io", "io"),
    StreamingOption("cacheFile", "cache_files", "each"),
    StreamingOption("cacheArchive", "cache_archives", "each"),
    StreamingOption("lazyOutput", "lazy_output", "switch"),
    StreamingOption("verbose", "verbose", "switch"),
    StreamingOption("debug", "debug", "switch"),
    StreamingOption("background", "background", "switch"),
    # Deprecated in favour of -D and -files, or for people at a terminal only.
    StreamingOption("jobconf", form="pairs"),
    StreamingOption("file", form="each"),
    StreamingOption("dfs"),
    StreamingOption("additionalconfspec"),
    StreamingOption("info", form="switch"),
    StreamingOption("help", form="switch"),
)
"""The options of StreamJob."""
