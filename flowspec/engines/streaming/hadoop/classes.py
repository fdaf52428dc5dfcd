"""The Java classes that can stand in the options of a streaming job, and those that only Hadoop has.

A command that is the name of a class is that class (StreamUtil.goodClassOrNull): as given, or in the
package org.apache.hadoop.streaming when it has no dot. Classes that exist in Hadoop but not here are
refused by name; names that exist nowhere are "not found", or a command.
"""

from __future__ import annotations

from flowspec.engines.streaming.hadoop.arguments import refused, uncaught, unsupported

_MAPRED = "org.apache.hadoop.mapred."
_LIB = "org.apache.hadoop.mapred.lib."
_NEW = "org.apache.hadoop.mapreduce.lib."

TEXT_INPUT = _MAPRED + "TextInputFormat"
KEY_VALUE_INPUT = _MAPRED + "KeyValueTextInputFormat"
NLINE_INPUT = _LIB + "NLineInputFormat"
COMBINE_INPUT = _LIB + "CombineTextInputFormat"
INPUT_FORMATS = (TEXT_INPUT, KEY_VALUE_INPUT, NLINE_INPUT, COMBINE_INPUT)
TEXT_OUTPUT = _MAPRED + "TextOutputFormat"
NULL_OUTPUT = _LIB + "NullOutputFormat"
HASH_PARTITIONER = _LIB + "HashPartitioner"
KEY_FIELD_PARTITIONER = _LIB + "KeyFieldBasedPartitioner"
PARTITIONERS = (HASH_PARTITIONER, KEY_FIELD_PARTITIONER)
KEY_FIELD_COMPARATORS = (_LIB + "KeyFieldBasedComparator", _NEW + "partition.KeyFieldBasedComparator")

IDENTITY_MAPPER = _LIB + "IdentityMapper"
IDENTITY_REDUCER = _LIB + "IdentityReducer"
INVERSE_MAPPER = _LIB + "InverseMapper"
TOKEN_COUNT_MAPPER = _LIB + "TokenCountMapper"
LONG_SUM_REDUCER = _LIB + "LongSumReducer"
AGGREGATE_REDUCER = _LIB + "aggregate.ValueAggregatorReducer"
AGGREGATE_COMBINER = _LIB + "aggregate.ValueAggregatorCombiner"

MAPPERS = (IDENTITY_MAPPER, INVERSE_MAPPER, TOKEN_COUNT_MAPPER)
REDUCERS = (IDENTITY_REDUCER, LONG_SUM_REDUCER, AGGREGATE_REDUCER, AGGREGATE_COMBINER)

TEXT = "org.apache.hadoop.io.Text"
LONG = "org.apache.hadoop.io.LongWritable"
NULL = "org.apache.hadoop.io.NullWritable"

_SHORT_INPUT_FORMATS = {
    "TextInputFormat": TEXT_INPUT,
    "KeyValueTextInputFormat": KEY_VALUE_INPUT,
    "SequenceFileInputFormat": _MAPRED + "SequenceFileInputFormat",
    "SequenceFileAsTextInputFormat": _MAPRED + "SequenceFileAsTextInputFormat",
}

_ONLY_IN_HADOOP = {
    "inputformat": [
        *(_MAPRED + name for name in ("SequenceFileInputFormat", "SequenceFileAsTextInputFormat",
          "SequenceFileAsBinaryInputFormat", "FixedLengthInputFormat", "MultiFileInputFormat")),
        *(_LIB + name for name in ("CombineSequenceFileInputFormat", "DelegatingInputFormat")),
        _LIB + "db.DBInputFormat",
        "org.apache.hadoop.streaming.StreamInputFormat",
        "org.apache.hadoop.streaming.AutoInputFormat",
    ],
    "outputformat": [
        *(_MAPRED + name for name in ("SequenceFileOutputFormat", "SequenceFileAsBinaryOutputFormat",
          "MapFileOutputFormat")),
        *(_LIB + name for name in ("MultipleTextOutputFormat", "MultipleSequenceFileOutputFormat",
          "LazyOutputFormat")),
        _LIB + "db.DBOutputFormat",
    ],
    "partitioner": [
        *(_LIB + name for name in ("TotalOrderPartitioner", "BinaryPartitioner")),
    ],
    "mapper": [
        *(_LIB + name for name in ("RegexMapper", "FieldSelectionMapReduce", "ChainMapper",
          "DelegatingMapper")),
        _LIB + "aggregate.ValueAggregatorMapper",
        "org.apache.hadoop.streaming.PipeMapper",
    ],
    "reducer": [
        *(_LIB + name for name in ("FieldSelectionMapReduce", "ChainReducer")),
        "org.apache.hadoop.streaming.PipeReducer",
    ],
}  # fmt: skip

# Classes that Hadoop finds for any option.
_OTHERS = frozenset({TEXT_OUTPUT, NULL_OUTPUT}).union(INPUT_FORMATS, PARTITIONERS, MAPPERS, REDUCERS)

# Classes of the new API: Hadoop finds them, but the old API does not accept them.
_NEW_API = {
    "inputformat": [
        "input.TextInputFormat",
        "input.KeyValueTextInputFormat",
        "input.NLineInputFormat",
        "input.CombineTextInputFormat",
    ],
    "outputformat": ["output.TextOutputFormat", "output.NullOutputFormat", "output.LazyOutputFormat"],
    "partitioner": ["partition.HashPartitioner", "partition.KeyFieldBasedPartitioner"],
}
_OLD_INTERFACE = {
    "inputformat": _MAPRED + "InputFormat",
    "outputformat": _MAPRED + "OutputFormat",
    "partitioner": _MAPRED + "Partitioner",
}


def input_format(name: str) -> str:
    """Returns the full name of an `-inputformat`. Raises `ClientError`."""
    name = _SHORT_INPUT_FORMATS.get(name, name)
    return _format("inputformat", name, INPUT_FORMATS)


def output_format(name: str) -> str:
    """Returns the full name of an `-outputformat`. Raises `ClientError`."""
    return _format("outputformat", name, (TEXT_OUTPUT, NULL_OUTPUT))


def partitioner(name: str) -> str:
    """Returns the full name of a `-partitioner`. Raises `ClientError`."""
    return _format("partitioner", name, PARTITIONERS)


def command_class(role: str, text: str) -> str | None:
    """Returns the class that the text of `-mapper`, `-combiner` or `-reducer` names; None when it is a command.

    Raises `ClientError` for a class that this engine does not have.
    """
    full = text if "." in text else f"org.apache.hadoop.streaming.{text}"
    known = MAPPERS if role == "mapper" else REDUCERS
    if text in known:
        return text
    if full in _ONLY_IN_HADOOP["mapper" if role == "mapper" else "reducer"]:
        raise unsupported(f"-{role} {text}")
    if text in _OTHERS:
        interface = _MAPRED + ("Mapper" if role == "mapper" else "Reducer")
        raise uncaught(f"java.lang.RuntimeException: class {text} not {interface}")
    return None


def _format(option: str, name: str, known: tuple[str, ...]) -> str:
    if name in known:
        return name
    full = name if "." in name else f"org.apache.hadoop.streaming.{name}"
    if full in _ONLY_IN_HADOOP[option]:
        raise unsupported(f"-{option} {name}")
    if name in _OTHERS or (name.startswith(_NEW) and name.removeprefix(_NEW) in _NEW_API[option]):
        raise uncaught(f"java.lang.RuntimeException: class {name} not {_OLD_INTERFACE[option]}")
    raise refused(f"-{option} : class not found : {name}")
