"""Security rules, such as a reviewer would ask about. `flowspec.document.settings` says which of them report."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Any

from flowspec.document.checking.messages import Violation
from flowspec.document.checking.rules.view import Spec, log_uri, texts_in, traits_of
from flowspec.document.masking import mask
from flowspec.facts import releases
from flowspec.facts.api_model import KeyPath

# For names in lower case: this takes a third of the time of IGNORECASE.
_SECRET_NAME = re.compile(r"passw(or)?d|secret|(api|access|private).?key|credential|auth.?token")
# `--password=x`, `-Dpassword=x`, `PASSWORD=x`; else the word after `--password`.
_ASSIGNED = re.compile(r"-{0,2}(?:D)?(?P<name>[\w.-]+)=(?P<value>.+)", re.DOTALL)
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)")
# Values that refer to a secret instead of containing it: references of AWS and shells, URIs, files, words such as
# `true`.
_REFERENCE = re.compile(
    r"\{\{resolve:|arn:|\$[({\w]|[a-z0-9]+://|/|true$|false$|none$|null$|\(sensitive\)", re.IGNORECASE
)
_MIN_LENGTH = 6


def logs_are_kept(spec: Spec) -> Iterator[Violation]:
    """Without a log_uri, a cluster's logs are lost when it ends (EMR Management Guide, "Configure cluster logging")."""
    if not log_uri(spec):
        yield Violation("FS611", (), "no log_uri: what the cluster did can't be looked up later", "give a log_uri")


def has_security_configuration(spec: Spec) -> Iterator[Violation]:
    """A security configuration holds encryption at rest and in transit, and whether IMDSv1 is off.

    Source: EMR Management Guide, "Create a security configuration".
    """
    if not spec.get("security_configuration"):
        message = "no security_configuration: data is not encrypted by EMR, and IMDSv1 is not refused"
        yield Violation("FS612", (), message, "create one (aws emr create-security-configuration), and name it")


def is_in_a_named_network(spec: Spec) -> Iterator[Violation]:
    """Without a subnet EMR takes one of the default VPC, whose subnets are public (VPC guide, "Default VPCs")."""
    fields = ("ec2_subnet_id", "ec2_subnet_ids")
    if not any(spec.get(name) for name in fields):
        message = "no subnet: EMR takes one of the default VPC, whose subnets are public"
        yield Violation("FS613", (), message, "give ec2_subnet_id or ec2_subnet_ids")


def secrets_are_variables(spec: Spec, secrets: Collection[str] = ()) -> Iterator[Violation]:
    """EMR shows arguments and configurations to everyone who may call DescribeStep and DescribeCluster.

    `secrets` are the texts of sensitive variables: those are not in the spec, and git does not show them.
    """
    # The configurations of each group, the properties of each step and passwords of Kerberos as well.
    properties = ((path, name, name, text) for path, name, text in texts_in(spec) if isinstance(name, str))
    named: Iterator[tuple[KeyPath, str | int, str, str]] = chain(_named_arguments(spec), properties)
    for path, key, name, value in named:
        if len(value) < _MIN_LENGTH or not _SECRET_NAME.search(name.lower()) or _REFERENCE.match(value):
            continue
        if mask(value, secrets) == value:
            message = f"'{name}' looks like a secret, which EMR shows to everyone who may describe the cluster"
            hint = "let the program fetch it from Secrets Manager, or take a variable with `sensitive: true`"
            yield Violation("FS614", (*path, key), message, hint)


def _named_arguments(spec: Spec) -> Iterator[tuple[KeyPath, int, str, str]]:
    """Yields the options of steps and bootstrap actions that have a value: (path of the list, index, name, value)."""
    for key in ("steps", "bootstrap_actions"):
        for index, item in enumerate(spec.get(key) or ()):
            words = item.get("args") if isinstance(item, dict) else None
            if isinstance(words, list):
                yield from _named_values(words, (key, index, "args"))


def _named_values(words: list[Any], at: KeyPath) -> Iterator[tuple[KeyPath, int, str, str]]:
    texts = [word if isinstance(word, str) else "" for word in words]
    for index, word in enumerate(texts):
        assigned, option = _ASSIGNED.fullmatch(word), _OPTION.fullmatch(word)
        if assigned:
            yield at, index, assigned["name"], assigned["value"]
        elif option and index + 1 < len(texts) and not texts[index + 1].startswith("-"):
            yield at, index + 1, option["name"], texts[index + 1]


# EMR Management Guide, "Using the default Amazon Linux AMI": from these on, new clusters get the latest Amazon Linux.
_FIRST_UPDATED_RELEASES = {5: (5, 36, 0), 6: (6, 6, 0)}


def gets_updates(spec: Spec) -> Iterator[Violation]:
    """Older releases use the Amazon Linux of their release date, without later security updates."""
    if isinstance(spec.get("ami_version"), str):
        yield Violation(
            "FS615", ("ami_version",), "AMIs before release 4.0.0 get no security updates", "use a release_label"
        )
    label = spec.get("release_label")
    version = releases.parse(label) if isinstance(label, str) else None
    if version and version < _FIRST_UPDATED_RELEASES.get(version[0], (0, 0, 0) if version[0] > 6 else (5, 0, 0)):
        message = f"{label} starts with an old Amazon Linux and gets no security updates"
        yield Violation("FS615", ("release_label",), message, "emr-5.36.0, emr-6.6.0 and later do")


_RULES: tuple[Callable[[Spec], Iterator[Violation]], ...] = (
    logs_are_kept,
    has_security_configuration,
    is_in_a_named_network,
    gets_updates,
)


def check_security(spec: Spec, secrets: Collection[str]) -> Iterator[Violation]:
    """Yields every violation of a security rule by a rendered spec; none for this machine, which no one else reads."""
    if not traits_of(spec).on_aws:
        return
    for check in _RULES:
        yield from check(spec)
    yield from secrets_are_variables(spec, secrets)
