"""Literal texts -> texts of a spec: secrets are replaced by variables, and what looks like a template is escaped.

A secret is recognised by its name (`password`, `fs.s3a.secret.key`, `--api-key`) or by its form (an AWS access
key, a token of GitHub or Slack, a password in a URL). Names that are about secrets without being one
(`….credentials.provider`, `….password.file`) and values that are references (`${DB_PASSWORD}`,
`arn:aws:secretsmanager:…`) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from flowspec.document.rendering.templates import is_template
from flowspec.importers.placeholders import PLACEHOLDER

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z][a-z0-9]*|[0-9]+")
_PASSWORD = re.compile(r"passw(or)?d|passphrase|^pwd$")
_SINGLE = {"secret", "secrets", "token", "tokens", "accesskey", "secretkey", "apikey", "privatekey"}
_KEYS = {"access", "secret", "private", "api", "account", "auth"}
# The last word of a name that is about a secret, and not the name of one.
_ABOUT = {
    *("alias", "algorithm", "arn", "class", "count", "enable", "enabled", "expiration", "file", "interval", "length"),
    *("lifetime", "location", "manager", "name", "path", "policy", "provider", "providers", "renewer", "required"),
    *("size", "store", "timeout", "ttl", "type", "uri", "url", "version"),
}
_NO_SECRET = re.compile(
    r"|true|false|yes|no|none|null|\$.*|\{\{.*\}\}|<.*>|arn:.*|(s3[an]?|hdfs|file|jceks|ssm|https?):.*|~?/.*|([a-z]\w*\.){2,}\w*",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"[0-9.]+[a-z]{0,2}")

_ASSIGNED = re.compile(r"(?P<name>-{0,2}[A-Za-z][\w.-]*)=(?P<value>.+)", re.DOTALL)
_WITHIN = re.compile(
    # From the start of a word only: from each of its characters would take the square of the time.
    r"(?<![\w.-])(?P<name>[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|key(?:[_.-]?id)?))"
    r"[\"']?\s*[=:]\s*[\"']?(?P<value>[^\s\"'&;,|<>()]+)",
    re.IGNORECASE,
)
_FORMS = (
    ("aws_access_key_id", re.compile(r"\b(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16})\b")),
    ("password", re.compile(r"://[^\s/:@]+:(?P<value>[^\s/@]+)@")),
    ("token", re.compile(r"\b(?P<value>gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,})")),
    ("token", re.compile(r"\b(?P<value>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)")),
    ("private_key", re.compile(r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----.*)", re.DOTALL)),
)
# The start of a template, or a brace before one; a carriage return, which Jinja reads as the end of a line; and a
# placeholder.
_SPECIAL = re.compile(rf"\{{(?:[{{%#]|(?={PLACEHOLDER.pattern[0]})|\Z)|\r|{PLACEHOLDER.pattern}")


class _SecretSpan(NamedTuple):
    """A secret in a text: its offsets, and its name."""

    start: int
    end: int
    name: str


@dataclass
class Redactor:
    """Replaces the secrets of one spec by variables.

    `variables` are the values by the variables' names, `places` the paths in the spec at which each is used.
    With `keep` no secret is replaced. `taken` are names of other variables; `sensitive` are those of them whose
    placeholder is where a secret belongs.
    """

    keep: bool = False
    taken: Collection[str] = ()
    sensitive: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)

    def redact(self, value: Any, path: tuple[str | int, ...] = (), name: str = "") -> Any:
        """Returns the value with its texts, keys included, as a spec has them; `name` is the name of a text."""
        if isinstance(value, dict):
            named = value["Key"] if isinstance(value.get("Key"), str) else "Value"
            names = {key: named if key == "Value" else key for key in value}
            # Tags are no place for secrets (AWS, "Tagging best practices"): a tag named `token` is not one.
            names = {} if path[:1] == ("tags",) else names
            return {escape(key): self.redact(item, (*path, key), names.get(key, "")) for key, item in value.items()}
        if isinstance(value, list):
            items = enumerate(zip(value, ["", *map(_option_name, value)], strict=False))
            return [self.redact(item, (*path, index), option) for index, (item, option) in items]
        return self._redact_text(value, name, path) if isinstance(value, str) else value

    def _redact_text(self, text: str, name: str, path: tuple[str | int, ...]) -> str:
        spots = (
            [] if self.keep else [spot for spot in _find_secrets(text, name) if not self._has_placeholder(text, spot)]
        )
        if not spots:
            return escape(text)
        parts, at = [], 0
        for spot in spots:
            parts += [
                _template(text[at : spot.start]),
                f"{{{{ {self._variable(text[spot.start : spot.end], spot.name, path)} }}}}",
            ]
            at = spot.end
        return "".join([*parts, _template(text[at:])])

    def _has_placeholder(self, text: str, spot: _SecretSpan) -> bool:
        """Returns True if a placeholder is where the secret would be; then its variable is sensitive."""
        names = PLACEHOLDER.findall(text[spot.start : spot.end])
        self.sensitive.update(names)
        return bool(names)

    def _variable(self, secret: str, name: str, path: tuple[str | int, ...]) -> str:
        """Returns the name of the variable for a secret; a second secret of one name gets a number."""
        stem = variable_name(name)
        # So many names are tried that one is free.
        most = len(self.variables) + len(self.taken) + 2
        names = (stem if number == 1 else f"{stem}_{number}" for number in range(1, most))
        variable = next(one for one in names if one not in self.taken and self.variables.get(one, secret) == secret)
        self.variables[variable] = secret
        place = ".".join(map(str, path))
        places = self.places.setdefault(variable, [])
        if place not in places:
            places.append(place)
        return variable


def escape(text: str) -> str:
    """Escapes a literal text, so that rendering gives it back."""
    return _template(text) if is_template(text) or PLACEHOLDER.search(text) else text


def _template(text: str) -> str:
    """Returns a literal part of a template, with its placeholders as expressions."""
    return _SPECIAL.sub(_escape_match, text)


def _escape_match(odd: re.Match[str]) -> str:
    if odd[1]:
        return f"{{{{ {odd[1]} }}}}"
    return "{{ '\\r' }}" if odd[0] == "\r" else f"{{{{ '{odd[0]}' }}}}"


def variable_name(name: str) -> str:
    """Returns the name of the variable for a secret: the last part of the secret's name, or its last three words."""
    words, last = (
        [word.lower() for word in _WORD.findall(part) if word[0].isalpha()] for part in (name, name.rpartition(".")[2])
    )
    return "_".join(last if len(last) > 1 else words[-3:]) or "secret"


def is_secret_name(name: str) -> bool:
    """Returns True if a value of this name is a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return False
    if any(_PASSWORD.search(word) or word in _SINGLE for word in words) or words[-1] == "pass":
        return True
    return any(first in _KEYS and second in ("key", "keys") for first, second in pairwise(words))


def _is_secret(name: str, value: str) -> bool:
    if not is_secret_name(name) or _NO_SECRET.fullmatch(value):
        return False
    return bool(_PASSWORD.search(name.lower())) or not _NUMBER.fullmatch(value)


def _option_name(word: Any) -> str:
    """Returns the option that a word is, which names the word after it; "" for anything else."""
    return word if isinstance(word, str) and re.fullmatch(r"--?[A-Za-z][\w.-]*", word) else ""


def _find_secrets(text: str, name: str) -> Iterator[_SecretSpan]:
    """Yields the secrets in a text, in order, without overlap."""
    if name and _is_secret(name, text) and not (name.startswith("-") and text.startswith("-")):
        yield _SecretSpan(0, len(text), name)
        return
    assigned = _ASSIGNED.fullmatch(text)
    if assigned and _is_secret(assigned["name"], assigned["value"]):
        yield _SecretSpan(*assigned.span("value"), assigned["name"])
        return
    found = [
        _SecretSpan(*match.span("value"), match["name"])
        for match in _WITHIN.finditer(text)
        if _is_secret(match["name"], match["value"])
    ]
    found += [_SecretSpan(*match.span("value"), called) for called, form in _FORMS for match in form.finditer(text)]
    at = 0
    for spot in sorted(found):
        if spot.start >= at:
            yield spot
            at = spot.end
