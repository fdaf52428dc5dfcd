"""Rules that can't be checked in a request: they read the spec's own keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from flowspec.document.checking.messages import Violation
from flowspec.document.checking.rules.view import Spec, log_uri, texts_in, traits_of
from flowspec.document.nearest import MAX_GUESSES, did_you_mean
from flowspec.errors import shorten
from flowspec.facts.regions import AS_OF, REGIONS
from flowspec.facts.releases import at_least, parse
from flowspec.facts.streaming_options import LINKED, REDUCES, STREAMING
from flowspec.facts.uris import corrected_s3, host_of, link_name, nested_s3

SpecRule: TypeAlias = "Callable[[Spec], Iterator[Violation]]"

_GENERIC = re.compile(r"-(D.*|conf|fs|jt|files|archives|libjars|tokenCacheFile)$")
# An interpreter, its options, and a relative path with the suffix of a script.
_INTERPRETER_COMMAND = re.compile(
    r"(?:\S*/)?(?:env +(?:\w+=\S* +)*)?"
    r"(?:python[\d.]*|pypy3?|perl|ruby|node|php|lua|Rscript|(?:ba|da|z)?sh|[gm]?awk)"
    r"(?: +(?:-[vFWXI] +[^-\s]\S*|-\S+))* +['\"]?((?![/-])[\w./-]+\.(?:py|pl|rb|js|php|lua|[rR]|sh|awk))\b"
)
# A script as the first word.
_SCRIPT = re.compile(r" *['\"]?((?!/)[\w./-]+\.(?:py|pl|rb|sh|awk))(?![\w./-])")
_RAW_SHIPPING = frozenset({"-file", "-files", "-archives", "-cacheFile", "-cacheArchive"})
# Properties that these options set (GenericOptionsParser, DistributedCache), under their old names, too.
_SHIPPING_PROPERTIES = frozenset({"tmpfiles", "tmparchives"}) | {
    f"{prefix}.cache.{what}" for prefix in ("mapred", "mapreduce.job") for what in ("files", "archives")
}


def own_tags(spec: Spec) -> Iterator[Violation]:
    """Tags that begin with flowspec: are written by flowspec itself, to find its clusters."""
    for key in spec.get("tags") or {}:
        if key.lower().startswith("flowspec:"):
            message = "tags that begin with flowspec: are written by flowspec"
            yield Violation("FS211", ("tags", key), message, "use another key", key=True)


def unknown_region(spec: Spec) -> Iterator[Violation]:
    """Warns of a region that botocore does not list: the first call of a plan would find no endpoint there."""
    region = spec.get("region")
    # A custom endpoint may use any region name.
    if region is None or region in REGIONS or spec.get("endpoint_url") or not traits_of(spec).on_aws:
        return
    hint = did_you_mean(region, sorted(REGIONS), most=2) or "such as us-east-1"
    yield Violation("FS200", ("region",), f"the region '{region}' is not known (as of {AS_OF})", hint)


def debugging_needs_logs(spec: Spec) -> Iterator[Violation]:
    """The EMR Management Guide: debugging reads the logs that EMR archives. The AWS CLI refuses it, too."""
    if spec.get("enable_debugging") is True and not log_uri(spec):
        yield Violation("FS227", ("enable_debugging",), "debugging needs the logs in S3", "give a log_uri", key=True)


def generic_options(spec: Spec) -> Iterator[Violation]:
    """Hadoop's GenericOptionsParser stops at the first word that is none of its options."""
    for index, step in _streaming_steps(spec):
        for at, word in enumerate(step.get("args") or ()):
            if isinstance(word, str) and _GENERIC.match(word):
                message = f"{word} is a generic option; Hadoop takes those only before all streaming options"
                hint = "use properties, files, archives or libjars"
                yield Violation("FS213", ("steps", index, "args", at), message, hint)


def overridden_properties(spec: Spec) -> Iterator[Violation]:
    """Warns of two values for one setting, of which Hadoop silently uses one (StreamJob.setJobConf)."""
    for index, step in _streaming_steps(spec):
        properties = {name: str(value) for name, value in (step.get("properties") or {}).items()}
        at = ("steps", index)
        options = {
            one.key: (str(step[one.key]), one.overrides) for one in STREAMING if one.overrides and one.key in step
        }
        if step.get("reducer") == "none":
            number, _ = options.pop("num_reduce_tasks", ("0", ()))
            if number != "0":
                message = f"`reducer: none` makes a job without reduce tasks, not one with {number}"
                yield Violation("FS259", (*at, "num_reduce_tasks"), message, "leave out one of the two", key=True)
            options["reducer"] = ("0", REDUCES)
        for key, (value, names) in options.items():
            for name in names:
                if properties.get(name, value) != value:
                    message = f"'{key}' overrides this property: {shorten(properties[name])} has no effect"
                    yield Violation("FS259", (*at, "properties", name), message, "leave out one of the two", key=True)


def _streaming_steps(spec: Spec) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((index, step) for index, step in _steps(spec) if step.get("type") == "streaming")


def _steps(spec: Spec) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the steps of a spec with their indexes, without those that the schema refuses."""
    return ((index, step) for index, step in enumerate(spec.get("steps") or ()) if isinstance(step, dict))


def unshipped_scripts(spec: Spec) -> Iterator[Violation]:
    """Warns of `python3 m.py` without `files: [m.py]`: Hadoop Streaming ships only a command's first word.

    With `stage: false` not even that. Source: StreamJob.setJobConf (`-file`), GenericOptionsParser (`-files`). Steps
    with such raw options are left alone.
    """
    prepared = _prepares_machines(spec)
    for index, step in _streaming_steps(spec):
        if _ships_by_raw_options(step):
            continue
        links = {link_name(str(text)) for key in LINKED for text in step.get(key) or ()}
        stages = step.get("stage") is not False
        for key in ("mapper", "combiner", "reducer"):
            command = str(step.get(key, ""))
            found = _INTERPRETER_COMMAND.match(command) or (None if stages or prepared else _SCRIPT.match(command))
            if found and found[1].removeprefix("./").partition("/")[0] not in links:
                script, name = found[1], PurePosixPath(found[1]).name
                why = "only the first word of a command is" if stages else "with `stage: false` no command is"
                hint = f"files: [{script}]" if stages else f"files: ['s3://…/{name}']"
                hint += "" if script == name else f", and '{name}' in the command"
                yield Violation("FS290", ("steps", index, key), f"'{script}' is not shipped to the tasks: {why}", hint)


def _prepares_machines(spec: Spec) -> bool:
    """Returns True if a bootstrap action or an image may put programs into the folders of PATH."""
    fleets = [one for one in spec.get("instance_fleets") or () if isinstance(one, dict)]
    types = [one for fleet in fleets for one in fleet.get("instance_type_configs") or ()]
    machines = [spec, *(spec.get("instance_groups") or ()), *types]
    images = [one.get("custom_ami_id") for one in machines if isinstance(one, Mapping)]
    return bool(spec.get("bootstrap_actions")) or any(images)


def _ships_by_raw_options(step: Mapping[str, Any]) -> bool:
    words = map(str, step.get("args") or ())
    return "generic_args" in step or not (
        _RAW_SHIPPING.isdisjoint(words) and _SHIPPING_PROPERTIES.isdisjoint(step.get("properties") or ())
    )


def unnamed_programs(spec: Spec) -> Iterator[Violation]:
    """Warns of an empty `jar` or `path`: the API takes them (HadoopJarStepConfig, ScriptBootstrapActionConfig: min 0).

    It is no error since EMR is not known to refuse them, and no other kind of step could express such a request.
    """
    for part, key, what in (("steps", "jar", "a jar"), ("bootstrap_actions", "path", "a script")):
        for index, one in enumerate(spec.get(part) or ()):
            if isinstance(one, dict) and one.get(key) == "":
                yield Violation("FS289", (part, index, key), f"'{key}' is empty", f"name {what}")


def malformed_uris(spec: Spec) -> Iterator[Violation]:
    """Amazon S3 takes an inner URI for a part of the key; usually a prefix was put before what is a URI already.

    Hadoop reads `s3:/bucket/x` as a URI without a bucket, and knows no scheme `S3`. `log_uri` and `staging` have rules
    of their own.
    """
    for path, key, text in texts_in(spec):
        if found := nested_s3(text):
            message = f"an S3 URI inside an S3 URI: {shorten(found, 80)}"
            yield Violation("FS273", (*path, key), message, "leave out one of the prefixes")
        elif path[:1] in (("steps",), ("bootstrap_actions",)) and (meant := corrected_s3(text)):
            message = f"'{shorten(text, 80)}' is not an S3 URI"
            yield Violation("FS273", (*path, key), message, f"did you mean {shorten(meant, 80)}?")


def hooks(spec: Spec) -> Iterator[Violation]:
    """Each hook has one receiver, because the order of two would be undefined."""
    given = spec.get("hooks")
    for when, found in given.items() if isinstance(given, dict) else ():
        for index, one in enumerate(found or ()):
            if not isinstance(one, dict):
                continue
            kinds = [key for key in ("webhook", "sns", "command") if key in one]
            if len(kinds) != 1:
                message = "a hook has exactly one of webhook, sns and command"
                yield Violation("FS299", ("hooks", when, index), message, "make them items of the list")
            elif "secret" in one and kinds != ["webhook"]:
                yield Violation("FS299", ("hooks", when, index, "secret"), "only a webhook is signed", "leave it out")
            elif kinds == ["webhook"] and (problem := _problem_of_webhook(str(one["webhook"]))):
                yield Violation("FS299", ("hooks", when, index, "webhook"), *problem)


def _problem_of_webhook(url: str) -> tuple[str, str] | None:
    """Returns why nothing can be posted to a URL as it is, and a remedy."""
    if not host_of(url):
        return "the URL has no host", "https://HOST/PATH"
    parts = urlsplit(url)
    if not re.fullmatch(r"[!-~]*", parts.path + parts.query) or re.search(r"[\s\x00-\x1f\x7f]", url):
        return "the URL has characters that can't be sent", "write them in percent-encoding: %20 for a blank"
    if "@" in parts.netloc:
        return "the user and password of a URL are not sent", "leave them out; `secret` signs the message"
    try:
        _ = parts.port
    except ValueError:
        return "the URL's port is not one from 0 to 65535", "https://HOST:PORT/PATH"
    return None


def retries(spec: Spec) -> Iterator[Violation]:
    """A retry runs on the same cluster, which must still run, and on which the output must not exist."""
    default = spec.get("action_on_failure")
    for index, step in _steps(spec):
        if "retry" not in step:
            continue
        at = ("steps", index, "retry")
        if spec.get("keep_alive") is not True or step.get("on_failure", default) not in _KEEPS_CLUSTER:
            message = "the cluster ends when the step fails, so that it can't be run again"
            yield Violation("FS291", at, message, "keep_alive: true and on_failure: CANCEL_AND_WAIT", key=True)
        if step.get("type") == "streaming" and "output_format" not in step:
            message = "a second attempt fails: Hadoop refuses the output folder that the first attempt created"
            yield Violation(
                "FS292", at, message, "leave retry out; later, `apply --rerun` runs the step again", key=True
            )


_KEEPS_CLUSTER = frozenset({"CANCEL_AND_WAIT", "CONTINUE"})


def needs(spec: Spec) -> Iterator[Violation]:
    """EMR starts steps in the order of the list, each when the previous one has ended (step_concurrency_level 1)."""
    steps = [one if isinstance(one, dict) else {} for one in spec.get("steps") or ()]
    if not any("needs" in one for one in steps):
        return
    names = [str(one.get("name", "")) for one in steps]
    graph = _Needs(steps, names)
    concurrency = spec.get("step_concurrency_level", 1)
    unknown = 0
    for index, step in enumerate(steps):
        for at, name in enumerate(step.get("needs") or ()):
            place = ("steps", index, "needs", at)
            if not isinstance(name, str):
                continue
            if name not in graph.first:
                hint = did_you_mean(name, graph.first) if unknown < MAX_GUESSES else ""
                unknown += 1
                yield Violation("FS295", place, f"there is no step '{name}'", hint)
            elif cycle := graph.cycle(name, names[index]):
                yield Violation("FS296", place, f"steps need each other: {' → '.join(cycle)}", "leave one of them out")
            elif graph.last[name] > index or graph.first[name] == index:
                message = f"step '{name}' comes later, and EMR runs steps in the order of the list"
                yield Violation("FS297", place, message, f"put '{name}' before '{names[index]}'")
            elif isinstance(concurrency, int) and concurrency > 1:
                message = f"with step_concurrency_level {concurrency}, EMR may start it while '{name}' runs"
                yield Violation("FS298", place, message, "step_concurrency_level: 1")
            elif steps[graph.first[name]].get("on_failure", spec.get("action_on_failure")) == "CONTINUE":
                message = f"it also runs if '{name}' has failed, because that step's on_failure is CONTINUE"
                yield Violation("FS298", place, message, "CANCEL_AND_WAIT or TERMINATE_CLUSTER there")


class _Needs:
    """The steps that others need, by name: the indexes of the `first` and `last` of a name, and what it needs."""

    def __init__(self, steps: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        self.last = {name: index for index, name in enumerate(names)}
        self.first = {name: index for index, name in reversed([*enumerate(names)])}
        self._needed: dict[str, list[str]] = {}
        # If each step needs only earlier steps, no step needs itself.
        self._left = 0
        for index, (name, step) in enumerate(zip(names, steps, strict=True)):
            known = [one for one in step.get("needs") or () if one in self.first]
            self._needed.setdefault(name, []).extend(known)
            if any(self.last[one] >= index for one in known):
                self._left = _MAX_FOLLOWED

    def cycle(self, start: str, end: str) -> list[str]:
        """Returns the names of a cycle: from step `end`, which needs `start`, along further needs back to `end`.

        [] if there is no cycle, or if too many names were followed: a cycle also contains a step that comes too late
        (FS297).
        """
        before, waiting = {start: end}, [start]
        while waiting and self._left > 0:
            name = waiting.pop()
            if name == end:
                path = [end, before[end]]
                while path[-1] != end:
                    path.append(before[path[-1]])
                return path[::-1]
            self._left -= len(self._needed[name]) + 1
            for one in self._needed[name]:
                if one not in before:
                    before[one] = name
                    waiting.append(one)
        return []


_MAX_FOLLOWED = 1_000_000
"""The maximum number of names that are followed to find cycles in a spec; 256 steps with three needs each take half of
it."""


def timeouts(spec: Spec) -> Iterator[Violation]:
    """A running step can be cancelled from release 5.28.0 on (API reference, CancelSteps); watchers look every 30 s."""
    label = spec.get("release_label")
    longest_poll = traits_of(spec).longest_poll
    old = "ami_version" in spec or (isinstance(label, str) and parse(label) and not at_least(label, 5, 28))
    for index, step in _steps(spec):
        timeout = step.get("timeout")
        if not isinstance(timeout, int):
            continue
        at = ("steps", index, "timeout")
        if old:
            message = "EMR cancels running steps from emr-5.28.0 on"
            yield Violation("FS293", at, message, "leave it out, or use a later release", key=True)
        elif timeout < longest_poll:
            message = f"a watcher looks at the steps on EMR every {longest_poll} s, so the step may run longer"
            yield Violation("FS294", at, message, f"{2 * longest_poll} or more")


def policies_that_read_logs(spec: Spec) -> Iterator[Violation]:
    """Reports skip_on_exit and retry on EMR without a log_uri.

    An exit code is in a step's logs alone. A cause may also be in what EMR reports (API reference, FailureDetails).
    """
    if not traits_of(spec).ships_logs or log_uri(spec):
        return
    for index, step in _steps(spec):
        if step.get("skip_on_exit"):
            yield Violation("FS286", ("steps", index, "skip_on_exit"), _NO_EXIT_CODES, "give a log_uri", key=True)
        if isinstance(step.get("retry"), dict):
            causes = step["retry"].get("on", ("any",))
            at = ("steps", index, "retry", "on") if "on" in step["retry"] else ("steps", index, "retry")
            if all(isinstance(cause, int) for cause in causes):
                yield Violation("FS286", at, f"{_NO_EXIT_CODES}: it is never run again", "give a log_uri", key=True)
            elif set(causes) != {"timeout"}:
                message = "without log_uri it is run again only after a timeout or for a cause that EMR itself reports"
                yield Violation("FS287", at, message, "give a log_uri", key=True)


_NO_EXIT_CODES = "the exit code of a step is only in its logs, and without log_uri there are none"

SPEC_RULES: tuple[SpecRule, ...] = (
    own_tags,
    unknown_region,
    debugging_needs_logs,
    generic_options,
    overridden_properties,
    unshipped_scripts,
    unnamed_programs,
    malformed_uris,
    hooks,
    retries,
    needs,
    timeouts,
    policies_that_read_logs,
)
