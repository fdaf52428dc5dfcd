"""The rules across fields: those of EMR, shared with the embedded EMR, and a few about a spec's own keys.

An error is what EMR is known to refuse (or what can't work there); everything else is a warning. Values that the schema
refuses are removed first. So a rule must expect missing values, but no values of a wrong type. `flowspec explain` shows
the page of each id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flowspec.document.checking.messages import Violation
from flowspec.document.checking.rules.spec import SPEC_RULES
from flowspec.document.checking.rules.texts import odd_texts
from flowspec.document.checking.rules.view import RequestView, Spec, request_view, traits_of
from flowspec.document.checking.rules.wording import HINTS, WORDINGS, notes
from flowspec.document.nearest import MAX_GUESSES
from flowspec.facts.api_model import KeyPath
from flowspec.facts.rules import Breach, Rule, breaches
from flowspec.plugins import RULES, Finding, failing, plugins

# The keys whose absence a rule reports. (FS274 names its key itself.)
_ABSENT_KEYS = {
    "FS224": ("instance_groups", "instance_fleets", "master_instance_type"),
    "FS225": ("release_label", "ami_version", "hadoop_version"),
}


def check_rules(spec: Spec, rejected: Collection[KeyPath] = ()) -> Iterator[Violation]:
    """Yields every violation of a rule by a rendered spec; each once.

    `rejected` are paths whose values were given, but which the schema refused and `spec` therefore lacks; they are not
    reported as missing.
    """
    seen = set()
    for one in _all_violations(spec):
        if (one.id, one.path, one.message) not in seen and not _was_rejected(one, rejected):
            seen.add((one.id, one.path, one.message))
            yield one


def check_plugins(spec: Spec) -> Iterator[tuple[Violation, bool]]:
    """Yields the findings of plugins' rules, and whether each is an error. Raises FlowspecError if a rule fails."""
    for name, check in plugins(RULES).items():
        with failing(RULES, name):
            found = [Finding(*one) for one in check(spec)]
        for one in found:
            yield Violation("FS616", tuple(one.path), f"{one.message} ({name})", one.hint), one.is_error


def _was_rejected(one: Violation, rejected: Collection[KeyPath]) -> bool:
    """Returns True if a violation reports a missing value that was given, but that the schema rejected."""
    if one.id == "FS239":
        return any(path[: len(one.path)] == one.path for path in rejected)
    absent = (one.about,) if one.about else _ABSENT_KEYS.get(one.id, ())
    return any(path[:1] == (key,) for path in rejected for key in absent)


def _all_violations(spec: Spec) -> Iterator[Violation]:
    for check in (*SPEC_RULES, odd_texts):
        yield from check(spec)
    aws = traits_of(spec).on_aws
    view = request_view(spec)
    found = list(breaches(view.params, aws=aws))
    patch = spec.get("api_params")
    if not patch:
        yield from (_violation_of(*one, view, index) for index, one in enumerate(found))
        return
    own = {(rule.id, breach.path) for rule, breach in found}
    patched = view.patched(patch)
    for index, (rule, breach) in enumerate(breaches(patched.params, aws=aws)):
        one = _violation_of(rule, breach, patched, index)
        # api_params exists to bypass flowspec's checks, so violations that it causes are only warnings.
        is_new = (rule.id, breach.path) not in own
        yield _as_api_params_warning(one) if is_new and rule.refused else one


def _violation_of(rule: Rule, breach: Breach, view: RequestView, index: int) -> Violation:
    """Returns the violation of a breach. `index` is its number among all: only the first ones get a suggestion."""
    name = f"{rule.id}.{breach.case}" if breach.case else rule.id
    wording, path = WORDINGS[name], view.origin(breach.path)
    values = {"key": path[-1] if path else "", **breach.values}
    looks_up = name in HINTS and index < MAX_GUESSES
    hint = HINTS[name](values) if looks_up else wording.hint.format_map(values)
    message = wording.message.format_map(values)
    absent = str(breach.values.get("absent", ""))
    return Violation(rule.id, path, message, hint, notes(rule.id), key=wording.about_key, about=absent)


def _as_api_params_warning(one: Violation) -> Violation:
    path = one.path if one.path[:1] == ("api_params",) else ("api_params",)
    message = f"with api_params, {one.message} ({one.id})"
    return Violation("FS276", path, message, one.hint, one.notes, key=path == ("api_params",))
