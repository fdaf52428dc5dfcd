"""Variables: the declarations of a spec, and the value that each variable has in this run.

In order: `--var k=v`, `FLOWSPEC_VAR_k`, the environment variable named by `env:`, `--var-file`, the
target, `default`. A value from outside is data and never a template; a value in the spec itself
(a default, a target's) may be a template that uses the other variables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import replace
from typing import Any, NamedTuple

from flowspec.document.masking import MASK
from flowspec.document.nearest import MAX_GUESSES, did_you_mean
from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.conversion import (
    TYPES,
    Data,
    UnfitError,
    check,
    fit,
    from_node,
    from_text,
    placeholder_of,
)
from flowspec.document.rendering.patterns import Pattern, PatternError, PatternWork, compile_pattern
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.template_places import template_problem
from flowspec.document.rendering.templates import WORDS, evaluate, is_template, names_in
from flowspec.document.rendering.values import MISSING, leaves
from flowspec.document.text.parse import compose, read
from flowspec.document.text.tree import Document, Mapping, Node, Place, Scalar, plain
from flowspec.errors import Diagnostic, Severity, SpecError, shorten

BUILTIN = ("ds", "ts", "target")
_RESERVED = {*BUILTIN, *WORDS, "item", "index", "self"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*$")
_PREFIX = "FLOWSPEC_VAR_"
# Specs come in pull requests and are rendered in CI, where such variables of the environment hold credentials.
_CREDENTIALS = re.compile(r"^AWS_|TOKEN|SECRET|PASSWORD|KEY", re.IGNORECASE)
# Each takes five of the 1,000 nested calls that Python allows, and compiling a template takes hundreds.
_MAX_CHAIN = 60
PLACEHOLDER = "a placeholder"
# Shorter texts made from a secret ("yes", 3) reveal nothing, and masking them would damage every sentence.
_MIN_DERIVED_LENGTH = 4


def is_name(name: str) -> bool:
    """Returns True if this is an allowed name of a variable."""
    return name not in _RESERVED and _NAME.match(name) is not None


class Given(NamedTuple):
    """The values that come from outside of the spec."""

    options: MappingOf[str, Any]
    files: tuple[Mapping, ...]
    environ: MappingOf[str, str]
    target: Mapping | None
    placeholders: bool = False
    """True if a sensitive variable without a value gets a placeholder: for commands that only check or show."""


class Variables:
    """The resolved variables: `names` for templates, the `origins` of the values, and the secret texts."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.origins: dict[str, str] = {}
        self.secrets: set[str] = set()
        self.sensitive: set[str] = set()
        self.found: list[Diagnostic] = []

    def add_derived(self, text: str) -> None:
        """Adds a text that is made of a secret to the secrets."""
        if len(text) >= _MIN_DERIVED_LENGTH:
            self.secrets.add(text)


def read_files(paths: Sequence[str | os.PathLike[str]]) -> tuple[Mapping, ...]:
    """Returns the variable files (a YAML or JSON mapping each). Raises `SpecError`."""
    return tuple(_read_file(path) for path in paths)


def _read_file(path: str | os.PathLike[str]) -> Mapping:
    source = read(path, "FS310")
    root, found = compose(source)
    if found:
        raise SpecError(found)
    if not isinstance(root, Mapping):
        raise SpecError([source.diagnostic("FS310", "a variable file is a mapping of names to values")])
    return root


def resolve(document: Document, given: Given, builtins: MappingOf[str, Any], budget: Budget) -> Variables:
    """Returns all declared variables with their values; one that can't be resolved is `MISSING`, with a finding."""
    resolver = _Resolver(document, given, builtins, budget)
    resolver.run()
    return resolver.result


class _Resolver:
    """Resolves each variable when it is first needed, since defaults may use other variables."""

    def __init__(self, document: Document, given: Given, builtins: MappingOf[str, Any], budget: Budget) -> None:
        declared = document.root.get("variables")
        self.document = document
        self.entries = declared.entries if isinstance(declared, Mapping) else {}
        self.given = given
        self.budget = budget
        self.result = Variables(dict(builtins))
        self._patterns = PatternWork()
        self._resolving: list[str] = []

    def run(self) -> None:
        for name in self.entries:
            self._resolve(name)
        for name in self.given.options:
            if name not in self.entries:
                message, hint = f"--var {name}: no such variable", self._suggest(name)
                known = f"declared: {', '.join(self.entries)}" if self.entries else "the spec declares no variables"
                self.result.found.append(
                    self.document.diagnostic("FS305", ("variables",), message, hint=hint, notes=(known,), key=True)
                )
        for id_, block in (("FS305", self.given.target), *(("FS306", file) for file in self.given.files)):
            for name, (key, _) in block.entries.items() if block else ():
                if name not in self.entries:
                    self._report(id_, f"there is no variable '{name}'", key.at, self._suggest(name))

    def _suggest(self, name: str) -> str:
        """Returns the nearest variable as a hint, for the first findings."""
        return did_you_mean(name, self.entries) if len(self.result.found) < MAX_GUESSES else ""

    def _report(self, id: str, message: str, at: Place, hint: str = "", notes: Sequence[str] = ()) -> None:  # noqa: A002
        self.result.found.append(at.source.diagnostic(id, message, at, hint=hint, notes=notes))

    def _resolve(self, name: str) -> None:
        if name in self.result.names and name not in BUILTIN:
            return
        key, definition = self.entries[name]
        if not is_name(name):
            hint = "the word is reserved in templates" if name in _RESERVED else "use letters, digits and _"
            self._report("FS308", f"a variable can't be called '{name}'", key.at, hint)
            return
        if name in self._resolving:
            chain = " -> ".join((*self._resolving[self._resolving.index(name) :], name))
            self._report("FS309", f"'{name}' needs its own value", key.at, notes=(chain,))
            self.result.names[name] = MISSING
            return
        if len(self._resolving) == _MAX_CHAIN:
            self._report("FS324", f"more than {_MAX_CHAIN} variables need each other's values", key.at)
            self.result.names[name] = MISSING
            return
        self._resolving.append(name)
        rules = plain(definition) if isinstance(definition, Mapping) else {}
        value = self._choose_value(name, key, definition if isinstance(definition, Mapping) else None, rules)
        self._resolving.pop()
        self.result.names.setdefault(name, value)
        if rules.get("sensitive") is True:
            self.result.sensitive.add(name)
        if name in self.result.sensitive and self.result.origins.get(name) != PLACEHOLDER:
            self.result.secrets |= {str(one) for one in leaves(value) if not _is_never_masked(one)}

    def _choose_value(self, name: str, key: Scalar, definition: Mapping | None, rules: MappingOf[str, Any]) -> Any:
        wanted = rules.get("type", "string")
        if wanted not in TYPES:
            wanted = "string"
        pattern = self._compile_pattern_of(name, definition)
        for source, value, at in self._candidates(name, key, definition, rules):
            self.result.origins[name] = _origin_with_line(source, value)
            try:
                converted = self._convert(value, wanted)
                check(converted, rules, pattern)
            except UnfitError as error:
                shown = MASK if rules.get("sensitive") else _describe_value(value)
                self._report(error.id, f"the variable '{name}' must be {error}; {source} gives {shown}", at)
                return MISSING
            except TemplateError as error:
                if name in self.result.sensitive:
                    self.result.add_derived(error.word)
                self.result.found.extend(template_problem(error, value))
                return MISSING
            return converted
        if self.given.placeholders and rules.get("sensitive") is True:
            return self._use_placeholder(name, key, wanted, rules)
        # The schema refuses a declaration that is no mapping (often a value), and shows how to write one.
        if definition is not None:
            self._report_missing(name, key)
        return MISSING

    def _use_placeholder(self, name: str, key: Scalar, wanted: str, rules: MappingOf[str, Any]) -> Any:
        self.result.origins[name] = PLACEHOLDER
        message = f"the sensitive variable '{name}' has no value here; a placeholder is used"
        found = key.at.source.diagnostic("FS302", message, key.at, hint="apply needs one")
        self.result.found.append(replace(found, severity=Severity.INFO))
        allowed = rules.get("enum")
        return allowed[0] if isinstance(allowed, list) and allowed else placeholder_of(wanted, rules)

    def _compile_pattern_of(self, name: str, definition: Mapping | None) -> Pattern | None:
        node = definition.get("pattern") if definition else None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return None
        try:
            return compile_pattern(node.value, self._patterns)
        except PatternError as error:
            self._report("FS316", f"the pattern of '{name}' can't be used: {error}", node.at, error.hint)
            return None

    def _candidates(
        self, name: str, key: Scalar, definition: Mapping | None, rules: MappingOf[str, Any]
    ) -> Iterator[tuple[str, Any, Place]]:
        """Yields the values given for a variable, the one with the highest precedence first.

        Each has its source and its place; a value of the spec is a node.
        """
        if name in self.given.options:
            yield f"--var {name}", self.given.options[name], key.at
        if _PREFIX + name in self.given.environ:
            yield _PREFIX + name, self.given.environ[_PREFIX + name], key.at
        if self._may_read_env(name, definition, rules) and rules["env"] in self.given.environ:
            yield f"the environment variable {rules['env']}", self.given.environ[rules["env"]], key.at
        for file in reversed(self.given.files):
            node = file.get(name)
            if node is not None:
                yield node.at.location.file_and_line, Data(node), node.at
        node = self.given.target.get(name) if self.given.target else None
        if node is not None:
            yield "the target", node, node.at
        node = definition.get("default") if definition else None
        if node is not None:
            yield "its default", node, node.at

    def _may_read_env(self, name: str, definition: Mapping | None, rules: MappingOf[str, Any]) -> bool:
        """Returns True if `env:` is given and may be read.

        Reports one that may hold credentials and would not be masked.
        """
        node = definition.get("env") if definition else None
        if node is None or not isinstance(rules.get("env"), str):
            return False
        if rules.get("sensitive") is True or not _CREDENTIALS.search(rules["env"]):
            return True
        message = f"the variable '{name}' would show what {rules['env']} holds, which may be a credential"
        self._report("FS317", message, node.at, "add `sensitive: true`")
        return False

    def _convert(self, value: Any, wanted: str) -> Any:
        if isinstance(value, str):
            return from_text(value, wanted)
        if isinstance(value, Data):
            return from_node(value.node, wanted)
        if isinstance(value, Scalar):
            if value.failed:
                raise TemplateError("", "")
            if not _is_template(value):
                return from_node(value, wanted)
        return fit(self._evaluate_node(value) if hasattr(value, "at") else value, wanted)

    def _evaluate_text(self, text: str) -> Any:
        for name in names_in(text, self.budget):
            if name in self.entries:
                self._resolve(name)
            if name in self.result.sensitive:
                # A value made from a secret is a secret.
                self.result.sensitive.add(self._resolving[-1])
        return evaluate(text, self.result.names, self.budget)

    def _evaluate_node(self, node: Node) -> Any:
        if isinstance(node, Scalar):
            return self._evaluate_text(node.text) if _is_template(node) else node.value
        if isinstance(node, Mapping):
            return {key: self._evaluate_node(value) for key, (_, value) in node.entries.items()}
        return [self._evaluate_node(item) for item in node.items]

    def _report_missing(self, name: str, key: Scalar) -> None:
        ways = (
            f"--var {name}=…, the environment variable {_PREFIX}{name}, or --var-file FILE",
            f"or in the spec: `default:` here, or `variables: {{{name}: …}}` of a target",
        )
        self._report("FS302", f"the variable '{name}' has no value", key.at, "give it one", ways)


def _is_template(node: Scalar) -> bool:
    return isinstance(node.value, str) and is_template(node.text)


def _origin_with_line(source: str, value: Any) -> str:
    """Returns the origin of a value, with its line, when it stands in the spec."""
    at = getattr(value, "at", None)
    return f"{source}, {at.location.file_and_line}" if isinstance(at, Place) else source


def _describe_value(value: Any) -> str:
    if isinstance(value, Data):
        value = value.node
    if isinstance(value, Scalar):
        return shorten(value.text) if value.plain else f"'{shorten(value.text)}'"
    if hasattr(value, "at"):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return shorten(repr(value))


def _is_never_masked(value: Any) -> bool:
    """Returns True for a value that is never masked, because it reveals nothing: null, booleans, empty texts."""
    return value is None or value is MISSING or value == "" or isinstance(value, bool)
