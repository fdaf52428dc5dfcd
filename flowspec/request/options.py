"""The options of the programs that steps run: how each is called there, and how its value is written.

One table per program serves both ways, from a step of the spec to words and from words to a step.
Sources: org.apache.hadoop.streaming.StreamJob, org.apache.spark.deploy.SparkSubmitArguments (and
SparkSubmitOptionParser), the EMR release guide's page on S3DistCp, `hive --help`, `pig -help`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias


class Option(NamedTuple):
    """One option: the `flag`, and the `form` of its value.

    value: `flag text` · number: `flag 4` · switch: `flag` alone · commas: `flag a,b` · each: `flag a flag b` ·
    one_or_each: the same, a single one standing alone · pairs: `flag k=v flag k=v`. With `joined`, flag
    and value are one word: `flag=text`.
    """

    flag: str
    form: str = "value"
    joined: bool = False


Table: TypeAlias = "Mapping[str, Option]"

GENERIC: Table = {
    "properties": Option("-D", "pairs"),
    "files": Option("-files", "commas"),
    "archives": Option("-archives", "commas"),
    "libjars": Option("-libjars", "commas"),
}

STREAMING: Table = {
    "mapper": Option("-mapper"),
    "combiner": Option("-combiner"),
    "reducer": Option("-reducer"),
    "input": Option("-input", "one_or_each"),
    "output": Option("-output"),
    "input_format": Option("-inputformat"),
    "output_format": Option("-outputformat"),
    "partitioner": Option("-partitioner"),
    "num_reduce_tasks": Option("-numReduceTasks", "number"),
    "cmdenv": Option("-cmdenv", "pairs"),
    "input_reader": Option("-inputreader"),
    "map_debug": Option("-mapdebug"),
    "reduce_debug": Option("-reducedebug"),
    "io": Option("-io"),
    "cache_files": Option("-cacheFile", "each"),
    "cache_archives": Option("-cacheArchive", "each"),
    "lazy_output": Option("-lazyOutput", "switch"),
    "verbose": Option("-verbose", "switch"),
    "debug": Option("-debug", "switch"),
    "background": Option("-background", "switch"),
}

SPARK: Table = {
    "main_class": Option("--class"),
    "app_name": Option("--name"),
    "master": Option("--master"),
    "deploy_mode": Option("--deploy-mode"),
    "conf": Option("--conf", "pairs"),
    "properties_file": Option("--properties-file"),
    "py_files": Option("--py-files", "commas"),
    "jars": Option("--jars", "commas"),
    "files": Option("--files", "commas"),
    "archives": Option("--archives", "commas"),
    "packages": Option("--packages", "commas"),
    "exclude_packages": Option("--exclude-packages", "commas"),
    "repositories": Option("--repositories", "commas"),
    "driver_memory": Option("--driver-memory"),
    "driver_cores": Option("--driver-cores"),
    "driver_class_path": Option("--driver-class-path"),
    "driver_library_path": Option("--driver-library-path"),
    "driver_java_options": Option("--driver-java-options"),
    "executor_memory": Option("--executor-memory"),
    "executor_cores": Option("--executor-cores"),
    "num_executors": Option("--num-executors"),
    "total_executor_cores": Option("--total-executor-cores"),
    "queue": Option("--queue"),
    "proxy_user": Option("--proxy-user"),
    "principal": Option("--principal"),
    "keytab": Option("--keytab"),
    "verbose": Option("--verbose", "switch"),
    "supervise": Option("--supervise", "switch"),
}

INTERPRETERS: Mapping[str, Table] = {
    "hive": {
        "script": Option("-f"),
        "defines": Option("-d", "pairs"),
        "hiveconf": Option("-hiveconf", "pairs"),
    },
    "pig": {
        "script": Option("-f"),
        "params": Option("-p", "pairs"),
    },
}

S3_DIST_CP: Table = {
    "src": Option("--src", joined=True),
    "dest": Option("--dest", joined=True),
    "src_pattern": Option("--srcPattern", joined=True),
    "group_by": Option("--groupBy", joined=True),
    "target_size": Option("--targetSize", joined=True),
    "append_to_last_file": Option("--appendToLastFile", "switch"),
    "output_codec": Option("--outputCodec", joined=True),
    "delete_on_success": Option("--deleteOnSuccess", "switch"),
    "disable_multipart_upload": Option("--disableMultipartUpload", "switch"),
    "multipart_upload_chunk_size": Option("--multipartUploadChunkSize", joined=True),
    "number_files": Option("--numberFiles", "switch"),
    "starting_index": Option("--startingIndex", joined=True),
    "output_manifest": Option("--outputManifest", joined=True),
    "previous_manifest": Option("--previousManifest", joined=True),
    "require_previous_manifest": Option("--requirePreviousManifest", "switch"),
    "copy_from_manifest": Option("--copyFromManifest", "switch"),
    "src_prefixes_file": Option("--srcPrefixesFile", joined=True),
    "s3_endpoint": Option("--s3Endpoint", joined=True),
    "storage_class": Option("--storageClass", joined=True),
    "s3_server_side_encryption": Option("--s3ServerSideEncryption", "switch"),
}


# --- a value of the spec -> words ---


def words(option: Option, value: Any) -> list[str]:
    """An option with its value as words; none for a switch that is off or a list of nothing."""
    return [word for text in _texts(option, value) for word in _flagged(option, text)]


def _texts(option: Option, value: Any) -> list[str | None]:
    """What stands behind the flag, each time; None where the flag stands alone."""
    if option.form == "switch":
        return [None] if value else []
    if option.form == "commas":
        return [",".join(value)] if value else []
    if option.form == "pairs":
        return [f"{key}={text}" for key, text in value.items()]
    return list(value) if isinstance(value, list) else [str(value)]


def _flagged(option: Option, text: str | None) -> list[str]:
    if text is None:
        return [option.flag]
    return [f"{option.flag}={text}"] if option.joined else [option.flag, text]


# --- words -> values of the spec ---

# GenericOptionsParser; all but -Dk=v have their value in the next word.
_GENERIC = re.compile(r"-(?:D(?P<joined>.+)?|conf|fs|jt|files|archives|libjars|tokenCacheFile)", re.DOTALL)


def generic_length(word: str) -> int:
    """How many words one of Hadoop's generic options takes that begins with this one; 0 when none does."""
    match = _GENERIC.fullmatch(word)
    return 0 if match is None else 1 if match["joined"] else 2


def read(given: Sequence[str], table: Table) -> tuple[dict[str, Any], list[str]]:
    """The options that words begin with, in their order, and the words left from the first that can't be one.

    An option that comes again after another one has come between can't be said by a mapping: it is left.
    """
    found: dict[str, Any] = {}
    by_flag = {option.flag: (key, option) for key, option in table.items()}
    at = 0
    while at < len(given):
        flag, text = _split(given, at, by_flag)
        key, option = by_flag.get(flag, ("", None))
        if option is None or (key in found and key != next(reversed(found))):
            break
        if not _READERS[option.form](found, key, text):
            break
        at += 1 if option.form == "switch" or option.joined else 2
    return found, list(given[at:])


def _split(given: Sequence[str], at: int, by_flag: Mapping[str, Any]) -> tuple[str, str | None]:
    """The flag of a word and the text that belongs to it, as far as there is one."""
    head, equals, text = given[at].partition("=")
    if equals and head in by_flag and by_flag[head][1].joined:
        return head, text
    if given[at] in by_flag and by_flag[given[at]][1].joined:
        return "", None
    return given[at], given[at + 1] if at + 1 < len(given) else None


def _read_value(found: dict[str, Any], key: str, text: str | None) -> bool:
    if text is None or key in found:
        return False
    found[key] = text
    return True


def _read_number(found: dict[str, Any], key: str, text: str | None) -> bool:
    if text is None or key in found or not re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
        return False
    found[key] = int(text)
    return True


def _read_switch(found: dict[str, Any], key: str, text: str | None) -> bool:  # noqa: ARG001 - readers are called alike
    if key in found:
        return False
    found[key] = True
    return True


def _read_commas(found: dict[str, Any], key: str, text: str | None) -> bool:
    if not text or key in found:
        return False
    found[key] = text.split(",")
    return True


def _read_each(found: dict[str, Any], key: str, text: str | None) -> bool:
    if text is None:
        return False
    found.setdefault(key, []).append(text)
    return True


def _read_one_or_each(found: dict[str, Any], key: str, text: str | None) -> bool:
    if text is None:
        return False
    found[key] = text if key not in found else [*([found[key]] if isinstance(found[key], str) else found[key]), text]
    return True


def _read_pair(found: dict[str, Any], key: str, text: str | None) -> bool:
    name, equals, value = (text or "").partition("=")
    if not name or not equals or name in found.get(key, ()):
        return False
    found.setdefault(key, {})[name] = value
    return True


_READERS: Mapping[str, Callable[[dict[str, Any], str, str | None], bool]] = {
    "value": _read_value,
    "number": _read_number,
    "switch": _read_switch,
    "commas": _read_commas,
    "each": _read_each,
    "one_or_each": _read_one_or_each,
    "pairs": _read_pair,
}
