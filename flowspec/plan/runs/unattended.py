"""Compares the settings of runs that are not in the request: hooks, further launches, the budget, policies of steps.

EMR does not know these settings. A review compares them in two specs; a plan compares them with the cluster's tags, to
which the last apply wrote the steps' policies (`flowspec.plan.runs.supervision`), and the rest as

    flowspec:watch-settings    budget.hourly=20 fallback=2@3f2a1b hooks.on_end=command+webhook:2@77ab01 launch_retries=1

Numbers are written unchanged; for hooks and alternatives, the tag contains their number and kind, and a digest that
reveals no secret (`flowspec.request.public_form`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.facts.api_model import KeyPath
from flowspec.facts.limits import TAG_VALUE
from flowspec.facts.uris import host_of
from flowspec.plan.changes import Action, Change
from flowspec.plan.cluster import WATCH_TAG, Cluster
from flowspec.plan.runs.launches import alternative_text
from flowspec.plan.runs.supervision import StepPolicy, config_token, policy_of, read_policies, token_of
from flowspec.request.public_form import public_form

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.errors import Location

# Not one of those that `policy_tags` numbers.
SETTINGS_TAG = f"{WATCH_TAG}-settings"
NEXT_WATCH = "from the next watched run on"
_NEXT_LAUNCH, _NEXT_PLAN = "from the next launch on", "from the next plan on"
_COMMAND_EFFECT = f"{NEXT_WATCH}; runs on the machine that watches, with --allow-commands"
_DIGEST = 6


class _Setting(NamedTuple):
    """A setting: its text for people and for a tag, and when a change takes effect."""

    text: str
    mark: str
    effect: str


def _settings(jobflow: JobFlow) -> dict[str, _Setting]:
    """Returns the settings of a spec by their addresses in it, in the order in which they are shown."""
    fields, found = jobflow.fields, {}
    for event, hooks in sorted(fields.get("hooks", {}).items()):
        if hooks:
            counted = sorted(Counter(map(hook_kind, hooks)).items())
            kinds = "+".join(kind if count == 1 else f"{kind}:{count}" for kind, count in counted)
            effect = _COMMAND_EFFECT if any("command" in one for one in hooks) else NEXT_WATCH
            text = ", ".join(map(hook_text, hooks))
            found[f"hooks.{event}"] = _Setting(text, f"{kinds}@{_digest(hooks, jobflow.secrets)}", effect)
    if alternatives := fields.get("fallback", ()):
        mark = f"{len(alternatives)}@{_digest(alternatives, jobflow.secrets)}"
        found["fallback"] = _Setting("; ".join(map(alternative_text, alternatives)), mark, _NEXT_LAUNCH)
    if retries := fields.get("launch_retries", 0):
        found["launch_retries"] = _Setting(str(retries), str(retries), _NEXT_LAUNCH)
    for key, amount in fields.get("budget", {}).items():
        mark = repr(float(amount)).removesuffix(".0")
        found[f"budget.{key}"] = _Setting(mark_text(f"budget.{key}", mark), mark, _NEXT_PLAN)
    return found


def settings_texts(jobflow: JobFlow) -> dict[str, str]:
    """Returns the settings of a spec in words, by their addresses in it."""
    return {address: one.text for address, one in _settings(jobflow).items()}


def hook_kind(hook: Mapping[str, Any]) -> str:
    """Returns the kind of a hook: the one of these keys that it has."""
    return next(kind for kind in ("webhook", "sns", "command") if kind in hook)


def hook_text(hook: Mapping[str, Any]) -> str:
    """Returns a hook as text for people; for a webhook only the host, since its path may contain a token."""
    kind = hook_kind(hook)
    if kind == "webhook":
        return f"webhook to {host_of(hook[kind]) or 'a host not known here'}{', signed' if hook.get('secret') else ''}"
    return f"{kind} {' '.join(hook[kind]) if kind == 'command' else hook[kind]}"


def _digest(values: Sequence[Mapping[str, Any]], secrets: Collection[str]) -> str:
    public = public_form({"values": [dict(one) for one in values]}, secrets)
    return hashlib.sha256(json.dumps(public, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def settings_tags(jobflow: JobFlow) -> dict[str, str]:
    """Returns the tag from which a later plan reads the settings; none if there are no settings."""
    value = " ".join(f"{address}={mark}" for address, mark in sorted(_marks_that_fit(_settings(jobflow)).items()))
    return {SETTINGS_TAG: value} if value else {}


def _marks_that_fit(settings: Mapping[str, _Setting]) -> dict[str, str]:
    """Returns the settings in the form of a tag: only digests if more does not fit."""
    marks = {address: one.mark for address, one in settings.items()}
    if sum(len(address) + len(mark) + 2 for address, mark in marks.items()) <= TAG_VALUE.most:
        return marks
    return {address: f"@{hashlib.sha256(mark.encode()).hexdigest()[:_DIGEST]}" for address, mark in marks.items()}


def read_settings(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns the settings in a cluster's tags: their addresses, with numbers, or kinds and digests."""
    words = (word.partition("=") for word in tags.get(SETTINGS_TAG, "").split())
    return {address: mark for address, separator, mark in words if separator}


def known_settings(tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the keys of a spec whose values are complete in a cluster's tags."""
    found: dict[str, Any] = {}
    for address, mark in read_settings(tags).items():
        if address == "launch_retries" and mark.isdecimal():
            found[address] = int(mark)
        elif address.startswith("budget.") and _NUMBER.fullmatch(mark):
            amount = float(mark)
            key = address.removeprefix("budget.")
            found.setdefault("budget", {})[key] = int(amount) if amount.is_integer() else amount
    return found


def unknown_settings(tags: Mapping[str, str]) -> Iterator[str]:
    """Yields the settings that are not complete in a cluster's tags: `hooks.on_end (command, 2 webhooks)`."""
    for address, mark in read_settings(tags).items():
        if "@" in mark:
            yield f"{address} ({mark_text(address, mark)})"


_UNITS = {"budget.hourly": " USD an hour", "budget.run": " USD", "budget.expected_hours": " h"}
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?(e[+-]\d{1,2})?", re.ASCII)


def mark_text(address: str, mark: str) -> str:
    """Returns a setting in a tag as text for people: `2 alternatives`, `command, 2 webhooks`, `20 USD an hour`."""
    value = mark.partition("@")[0]
    if not value:
        return "(another value)"
    if address == "fallback":
        return "1 alternative" if value == "1" else f"{value} alternatives"
    if address.startswith("hooks."):
        counted = (kind.partition(":") for kind in value.split("+"))
        return ", ".join(f"{count} {kind}s" if count else kind for kind, _, count in counted)
    return f"{value}{_UNITS.get(address, '')}"


def unattended_changes(
    jobflow: JobFlow, policies: Mapping[str, StepPolicy], cluster: Cluster, steps: Mapping[int, Mapping[str, Any]]
) -> Iterator[Change]:
    """Yields the changes that an apply makes to the settings in a running cluster's tags, which its watcher uses.

    `steps` are the StepConfigs of the request that already are on the cluster, by their index; added steps get their
    policies when they are added.
    """
    before = read_policies(cluster.tags)
    for index, config in steps.items():
        token = config_token(config)
        old, new = before.get(token, StepPolicy()), policies.get(token, StepPolicy())
        yield from _policy_changes(config["Name"], old, new, ("Steps", index))
    mine = {config_token(config) for config in steps.values()}
    for step in cluster.steps:
        # A watcher of this cluster does nothing about a step that has ended.
        if (token := token_of(step)) in before and token not in mine and not step.has_ended:
            yield from _policy_changes(step.name, before[token], policies.get(token, StepPolicy()))
    then, now = read_settings(cluster.tags), _settings(jobflow)
    marks = _marks_that_fit(now)
    for address in dict.fromkeys((*now, *then)):
        mark, one = then.get(address), now.get(address)
        if mark != marks.get(address):
            earlier = None if mark is None else mark_text(address, mark)
            yield _setting_change(
                jobflow, address, earlier, one.text if one else None, one.effect if one else _effect_of(address)
            )


def _effect_of(address: str) -> str:
    if address.startswith("budget."):
        return _NEXT_PLAN
    return _NEXT_LAUNCH if address in {"fallback", "launch_retries"} else NEXT_WATCH


def _policy_changes(name: str, old: StepPolicy, new: StepPolicy, path: KeyPath = ()) -> Iterator[Change]:
    before, after = old.parts, new.parts
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key), after.get(key)
        if one != other:
            yield Change(_action(one, other), f"step {name}: {key}", one, other, NEXT_WATCH, path)


def _action(before: Any, after: Any) -> Action:
    return Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE


def _setting_change(jobflow: JobFlow, address: str, before: str | None, after: str | None, effect: str) -> Change:
    at = _location(jobflow, address) if after is not None else None
    return Change(_action(before, after), address, before, after, effect, location=at)


def _location(jobflow: JobFlow, address: str) -> Location | None:
    return jobflow.document.nearest(tuple(address.split("."))).at.location


# -- two specs


# Settings that are not in the request and decide where and with which files a flow runs.
_CLUSTER_LEFT_ALONE = "a cluster that runs at the earlier place is left alone"
_PLACE_KEYS = ("backend", "region", "profile", "endpoint_url", "staging")


def compare_specs(before: JobFlow | None, after: JobFlow) -> Iterator[Change]:
    """Yields the changes of `after` that no request shows; without a spec `before`, all settings."""
    yield from _hook_changes(before, after)
    then, now = _settings(before) if before else {}, _settings(after)
    for address in dict.fromkeys((*now, *then)):
        one, other = then.get(address), now.get(address)
        if not address.startswith("hooks.") and one != other:
            old, new = (each.text if each else None for each in (one, other))
            yield _setting_change(after, address, old, new, _effect_of(address))
    yield from _tool_changes(before, after)
    for index, change in _step_changes(before.fields.get("steps", ()) if before else (), after.fields.get("steps", ())):
        yield change._replace(location=after.document.nearest(("steps", index)).at.location)


def _hook_changes(before: JobFlow | None, after: JobFlow) -> Iterator[Change]:
    then, now = (one.fields.get("hooks", {}) if one else {} for one in (before, after))
    for event in sorted({*then, *now}):
        address = f"hooks.{event}"
        gone = [one for one in then.get(event, ()) if one not in now.get(event, ())]
        new = [one for one in now.get(event, ()) if one not in then.get(event, ())]
        for hook in new:
            effect = _COMMAND_EFFECT if "command" in hook else NEXT_WATCH
            same = next((one for one in gone if hook_text(one) == hook_text(hook)), None)
            if same is None:
                yield _setting_change(after, address, None, hook_text(hook), effect)
                continue
            gone.remove(same)
            at = _location(after, address)
            effect = f"another path or secret, {NEXT_WATCH}"
            yield Change(Action.UPDATE, address, None, hook_text(hook), effect, location=at)
        for hook in gone:
            yield _setting_change(after, address, hook_text(hook), None, NEXT_WATCH)


def _tool_changes(before: JobFlow | None, after: JobFlow) -> Iterator[Change]:
    """Yields changes of where a flow runs, and of the files that are staged with secrets in them."""
    if before is not None:
        for key in _PLACE_KEYS:
            one, other = getattr(before, key), getattr(after, key)
            if one != other:
                yield _setting_change(
                    after, key, one, other, _CLUSTER_LEFT_ALONE if key in {"backend", "region"} else ""
                )
    then, now = (one.fields.get("allow_secrets_in", ()) if one else () for one in (before, after))
    for path in now:
        if path not in then:
            yield _setting_change(after, "allow_secrets_in", None, path, "staged although a secret is found in it")
    for path in then:
        if path not in now:
            yield _setting_change(after, "allow_secrets_in", path, None, "")


def _step_changes(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, Change]]:
    """Yields the changes of steps with the same name, in order, with the index in the later spec."""
    earlier: dict[str, list[Mapping[str, Any]]] = {}
    for step in before:
        earlier.setdefault(step["name"], []).append(step)
    for index, step in enumerate(after):
        found = earlier.get(step["name"])
        old: Mapping[str, Any] = found.pop(0) if found else {}
        yield from ((index, one) for one in _policy_changes(step["name"], policy_of(old), policy_of(step)))
        one, other = (", ".join(each.get("needs", ())) or None for each in (old, step))
        if one != other:
            address = f"step {step['name']}: needs"
            yield index, Change(_action(one, other), address, one, other, "checked, and not sent")


def new_commands(before: JobFlow | None, after: JobFlow) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yields the place in the spec and the text of each command hook of `after` that is not in `before`."""
    then = before.fields.get("hooks", {}) if before else {}
    known = [one["command"] for hooks in then.values() for one in hooks if "command" in one]
    for event, hooks in after.fields.get("hooks", {}).items():
        for index, hook in enumerate(hooks):
            if "command" in hook and hook["command"] not in known:
                yield ("hooks", event, index, "command"), " ".join(hook["command"])
