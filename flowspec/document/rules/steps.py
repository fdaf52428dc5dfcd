"""Steps and bootstrap actions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from flowspec.document.messages import Finding
from flowspec.document.rules.common import Rule, Spec, items, masters

MAX_STEPS = 256
MAX_BOOTSTRAP_ACTIONS = 16

_GENERIC = re.compile(r"-(D.*|conf|fs|jt|files|archives|libjars|tokenCacheFile)$")
# An interpreter, its options, and a relative path with the suffix of a script.
_INTERPRETED = re.compile(
    r"(?:\S*/)?(?:env +)?(?:python[\d.]*|pypy3?|perl|ruby|node|php|lua|Rscript|(?:ba|da|z)?sh|[gm]?awk)"
    r"(?: +-\S+)* +['\"]?((?![/-])[\w./-]+\.(?:py|pl|rb|js|php|lua|[rR]|sh|awk))\b"
)
_SHIPPING = ("files", "archives", "cache_files", "cache_archives")
_RAW_SHIPPING = frozenset({"-file", "-files", "-archives", "-cacheFile", "-cacheArchive"})
_TERMINATE = ("TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW")


def not_too_many(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: 256 steps in one call; the EMR Management Guide: 16 bootstrap actions."""
    for id_, key, limit in (("FS208", "steps", MAX_STEPS), ("FS209", "bootstrap_actions", MAX_BOOTSTRAP_ACTIONS)):
        count = len(spec.get(key) or ())
        if count > limit:
            yield Finding(id_, (key,), f"{count} {key.replace('_', ' ')}; EMR takes up to {limit}", key=True)


def generic_options(spec: Spec) -> Iterator[Finding]:
    """Hadoop's GenericOptionsParser stops at the first word that is none of its options."""
    for index, step in items(spec, "steps"):
        if step.get("type") != "streaming":
            continue
        for at, word in enumerate(step.get("args") or ()):
            if isinstance(word, str) and _GENERIC.match(word):
                message = f"{word} is a generic option; Hadoop takes those only before all streaming options"
                hint = "use properties, files, archives or libjars"
                yield Finding("FS213", ("steps", index, "args", at), message, hint)


def unshipped_script(spec: Spec) -> Iterator[Finding]:
    """Warns of `python3 m.py` without `files: [m.py]`: Hadoop Streaming ships only a command's first word.

    Source: StreamJob.setJobConf (`-file`), GenericOptionsParser (`-files`). Steps with such raw options are left alone.
    """
    for index, step in items(spec, "steps"):
        if step.get("type") != "streaming" or not _RAW_SHIPPING.isdisjoint(map(str, step.get("args") or ())):
            continue
        links = {name for key in _SHIPPING for name in map(_link_name, step.get(key) or ())}
        for key in ("mapper", "combiner", "reducer"):
            found = _INTERPRETED.match(str(step.get(key, "")))
            if found and found[1].removeprefix("./").partition("/")[0] not in links and "generic_args" not in step:
                script, name = found[1], PurePosixPath(found[1]).name
                message = f"'{script}' is not shipped to the tasks: only the first word of a command is"
                hint = f"files: [{script}]" + ("" if script == name else f", and '{name}' in the command")
                yield Finding("FS290", ("steps", index, key), message, hint)


def _link_name(text: object) -> str:
    """Returns the name under which the tasks find an entry of a list of files."""
    path, _, name = str(text).partition("#")
    return name or PurePosixPath(path).name


def concurrent_steps_continue(spec: Spec) -> Iterator[Finding]:
    """The EMR API, StepConfig: with steps side by side, a step that fails can only let the others go on."""
    level = spec.get("step_concurrency_level")
    if not isinstance(level, int) or level < 2:
        return
    message = f"with {level} steps at once, EMR takes only CONTINUE as what happens on failure"
    shared = spec.get("action_on_failure")
    if shared not in (None, "CONTINUE"):
        yield Finding("FS249", ("action_on_failure",), message, "CONTINUE, or step_concurrency_level: 1")
    for index, step in items(spec, "steps"):
        if step.get("on_failure") not in (None, "CONTINUE"):
            path = ("steps", index, "on_failure")
            yield Finding("FS249", path, message, "CONTINUE, or step_concurrency_level: 1")


def terminating_what_is_protected(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide, termination protection: a protected cluster that stays outlives a failed step."""
    if spec.get("keep_alive") is not True or not (spec.get("termination_protected") is True or masters(spec) == 3):
        return
    message = "this cluster is protected and stays: a failed step will not terminate it"
    hint = "termination_protected: false, or another action on failure"
    if spec.get("action_on_failure") in _TERMINATE:
        yield Finding("FS246", ("action_on_failure",), message, hint)
    for index, step in items(spec, "steps"):
        if step.get("on_failure") in _TERMINATE:
            yield Finding("FS246", ("steps", index, "on_failure"), message, hint)


RULES: tuple[Rule, ...] = (
    not_too_many,
    generic_options,
    unshipped_script,
    concurrent_steps_continue,
    terminating_what_is_protected,
)
