"""Policies of steps that a watcher applies: `timeout`, `retry` and `skip_on_exit`, which EMR does not know.

They are no part of the request. A cluster keeps them in tags of its own, so that every watcher applies the same ones,
also one that has only the cluster's id:

    flowspec:watch    3f2a1b0c99d2:t600 77ab01:r3@60@spot_loss+throttled/x3+4

Each word names steps by tokens of six characters (`step_token`) and what holds for them: `t` seconds, `r` attempts,
delay and causes, `x` exit codes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.errors import FlowspecError
from flowspec.facts.limits import TAG_VALUE
from flowspec.plan.changes import ApiCall
from flowspec.plan.cluster import WATCH_TAG, Cluster, Step

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow

DEFAULT_CAUSES = ("network", "spot_loss", "throttled")
"""The default failures after which a step is repeated: they are temporary."""

# Users need most of the 50 tags that a cluster may have.
_MOST_TAGS = 8
_TOKEN = 6
_WORD = re.compile(rf"((?:[0-9a-f]{{{_TOKEN}}})+):(\S+)")


class StepPolicy(NamedTuple):
    """The policy of a step. It is cancelled after `timeout` seconds (0: never), runs at most `attempts` times, each
    `delay` seconds after a failure with one of the `causes`, and does not count as failed if it exits with a code in
    `skip`.

    Causes are those of the spec's `retry.on`; exit codes are written as their digits.
    """

    timeout: int = 0
    attempts: int = 1
    delay: int = 0
    causes: tuple[str, ...] = ()
    skip: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Returns the words for a plan: `timeout 600 s, 3 attempts (after spot_loss), exit 3 is no failure`."""
        parts = self.parts
        timeout = [f"timeout {parts['timeout']}"] if self.timeout else []
        retry = [parts["retry"]] if self.attempts > 1 else []
        skip = [f"exit {parts['skip_on_exit']} is no failure"] if self.skip else []
        return ", ".join([*timeout, *retry, *skip])

    @property
    def parts(self) -> dict[str, str]:
        """The settings as text for people, by their keys in the spec."""
        parts = {"timeout": f"{self.timeout} s"} if self.timeout else {}
        if self.attempts > 1:
            causes = ", ".join(f"exit {cause}" if cause.isdigit() else cause for cause in self.causes)
            delay = f"; delay {self.delay} s" if self.delay else ""
            parts["retry"] = f"{self.attempts} attempts (after {causes}{delay})"
        return {**parts, "skip_on_exit": " or ".join(map(str, self.skip))} if self.skip else parts

    @property
    def fields(self) -> dict[str, Any]:
        """The keys of a step in a spec that say the same."""
        fields: dict[str, Any] = {"timeout": self.timeout} if self.timeout else {}
        if self.attempts > 1:
            causes = [int(cause) if cause.isdigit() else cause for cause in self.causes]
            stated = {"on": causes} if self.causes != DEFAULT_CAUSES else {}
            delay = {"delay": self.delay} if self.delay else {}
            fields["retry"] = {"attempts": self.attempts, **delay, **stated}
        return {**fields, "skip_on_exit": list(self.skip)} if self.skip else fields


def step_token(name: str, jar: str, main_class: str | None, args: Iterable[str]) -> str:
    """Returns the token of a step: six hexadecimal digits of the SHA-256 of its name and of what it runs."""
    text = json.dumps([name, jar, main_class or "", list(args)], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_TOKEN]


def token_of(step: Step) -> str:
    """Returns the token of a step of a cluster (`step_token`)."""
    return step_token(step.name, step.jar, step.main_class, step.args)


def step_policies(jobflow: JobFlow, params: Mapping[str, Any]) -> dict[str, StepPolicy]:
    """Returns the policies of a spec's steps, by their tokens.

    Raises FlowspecError when `api_params` replaces the steps.
    """
    wanted = [(step["name"], policy_of(step)) for step in jobflow.fields.get("steps", ())]
    if all(policy == StepPolicy() for _, policy in wanted):
        return {}
    if "Steps" in jobflow.fields.get("api_params", {}):
        message = "api_params replaces the steps, so timeout, retry and skip_on_exit belong to no step"
        raise FlowspecError(message, remedy="leave out `Steps` of api_params")
    found = {}
    for step in params.get("Steps", ()):
        # Some steps of the spec may be left out, and the step that enable_debugging adds is not in the spec.
        index = next((index for index, (name, _) in enumerate(wanted) if name == step["Name"]), None)
        if index is not None:
            found[config_token(step)] = wanted[index][1]
            wanted = wanted[index + 1 :]
    return {token: policy for token, policy in found.items() if policy != StepPolicy()}


def config_token(step: Mapping[str, Any]) -> str:
    """Returns the token of a step of a request (StepConfig)."""
    jar = step["HadoopJarStep"]
    return step_token(step["Name"], jar["Jar"], jar.get("MainClass"), jar.get("Args", ()))


def policy_of(step: Mapping[str, Any]) -> StepPolicy:
    """Returns the policy of a step of a spec."""
    retry = step.get("retry") or {}
    causes = tuple(sorted(map(str, retry.get("on", DEFAULT_CAUSES)))) if retry else ()
    skip = tuple(sorted(step.get("skip_on_exit", ())))
    return StepPolicy(step.get("timeout", 0), retry.get("attempts", 1), retry.get("delay", 0), causes, skip)


def policy_tags(policies: Mapping[str, StepPolicy]) -> dict[str, str]:
    """Returns the tags that hold policies. Raises FlowspecError when these do not fit into eight tags."""
    values: list[str] = []
    for word in _policy_words(policies):
        if values and len(values[-1]) + 1 + len(word) <= TAG_VALUE.most:
            values[-1] += f" {word}"
        else:
            values.append(word)
    if len(values) > _MOST_TAGS:
        message = f"the steps' timeout, retry and skip_on_exit take {len(values)} tags of the cluster"
        raise FlowspecError(
            f"{message}; at most {_MOST_TAGS} are possible", remedy="give several steps the same values"
        )
    return {_tag_name(index): value for index, value in enumerate(values)}


def _tag_name(index: int) -> str:
    return f"{WATCH_TAG}-{index + 1}" if index else WATCH_TAG


def _policy_words(policies: Mapping[str, StepPolicy]) -> Iterator[str]:
    tokens: dict[str, list[str]] = {}
    for token, policy in policies.items():
        tokens.setdefault(_policy_text(policy), []).append(token)
    for text, found in sorted(tokens.items()):
        room = max(1, (TAG_VALUE.most - 1 - len(text)) // _TOKEN)
        for start in range(0, len(found), room):
            yield f"{''.join(sorted(found)[start : start + room])}:{text}"


def _policy_text(policy: StepPolicy) -> str:
    parts = [f"t{policy.timeout}"] if policy.timeout else []
    if policy.attempts > 1:
        parts.append(f"r{policy.attempts}@{policy.delay}@{'+'.join(policy.causes)}")
    parts += [f"x{'+'.join(map(str, policy.skip))}"] if policy.skip else []
    return "/".join(parts)


def read_policies(tags: Mapping[str, str]) -> dict[str, StepPolicy]:
    """Reads the policies in a cluster's tags, by the tokens of steps; ignores words that this version can't read."""
    found: dict[str, StepPolicy] = {}
    for _, names, policy in _read_words(tags):
        if policy:
            found |= dict.fromkeys((names[start : start + _TOKEN] for start in range(0, len(names), _TOKEN)), policy)
    return found


def unread_policies(tags: Mapping[str, str]) -> list[str]:
    """Returns the words in a cluster's tags that `read_policies` ignores."""
    return [word for word, _, policy in _read_words(tags) if policy is None]


def _read_words(tags: Mapping[str, str]) -> Iterator[tuple[str, str, StepPolicy | None]]:
    """Yields each word of the tags, the tokens in it, and its policy; None if this version can't read it."""
    for word in (word for index in range(_MOST_TAGS) for word in tags.get(_tag_name(index), "").split()):
        match = _WORD.fullmatch(word)
        yield word, match[1] if match else "", _parse_policy(match[2]) if match else None


def _parse_policy(text: str) -> StepPolicy | None:
    fields: dict[str, Any] = {}
    try:
        for part in text.split("/"):
            kind, value = part[:1], part[1:]
            if kind == "t":
                fields["timeout"] = int(value)
            elif kind == "r":
                attempts, delay, causes = value.split("@")
                fields |= {"attempts": int(attempts), "delay": int(delay), "causes": tuple(causes.split("+"))}
            elif kind == "x":
                fields["skip"] = tuple(map(int, value.split("+")))
            else:
                return None
    except ValueError:
        return None
    return StepPolicy(**fields)


def retagging_calls(tags: Mapping[str, str], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields the calls that give a living cluster the tags of `Plan.supervision`, and remove others."""
    there = {key: value for key, value in cluster.tags.items() if key == WATCH_TAG or key.startswith(f"{WATCH_TAG}-")}
    changed = [{"Key": key, "Value": value} for key, value in tags.items() if there.get(key) != value]
    gone = [key for key in there if key not in tags]
    if changed:
        yield ApiCall("AddTags", {"ResourceId": cluster.id, "Tags": changed})
    if gone:
        yield ApiCall("RemoveTags", {"ResourceId": cluster.id, "TagKeys": gone})


def supervision_notes(policies: Mapping[str, StepPolicy], steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the notes of a plan about the policies, which apply only while the run is watched."""
    found = [(step["Name"], policy) for step in steps if (policy := policies.get(config_token(step)))]
    for name, policy in found:
        yield f"step {name}: {policy}"
    if found:
        yield "these apply only while the run is watched: by `apply`, or, after --detach, by `flowspec wait`"
