"""Steps and bootstrap actions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowspec.document.messages import Finding
from flowspec.document.rules.common import Rule, Spec, items, masters

MAX_STEPS = 256
MAX_BOOTSTRAP_ACTIONS = 16

_GENERIC = re.compile(r"-(D.*|conf|fs|jt|files|archives|libjars|tokenCacheFile)$")
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
    concurrent_steps_continue,
    terminating_what_is_protected,
)
