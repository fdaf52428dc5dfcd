"""Document -> Document for one target: overrides merged, variables resolved, loops unrolled, templates filled in.

Rendering does not stop at the first finding. A scalar whose template failed stays in the tree, with a mark, so that
later stages don't report it again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from flowspec.document.masking import MASK, mask
from flowspec.document.nearest import did_you_mean
from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.extends import merge_bases
from flowspec.document.rendering.overrides import NAMED, merge_override
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.template_places import template_problem
from flowspec.document.rendering.templates import evaluate, is_template, names_in
from flowspec.document.rendering.values import leaves
from flowspec.document.rendering.variables import BUILTIN, PLACEHOLDER, Given, Variables, read_files, resolve
from flowspec.document.text.tree import Document, Items, Mapping, Node, Place, Scalar, plain, scalars
from flowspec.errors import Diagnostic, SpecError
from flowspec.facts.recommended import DEFAULT_ROLES, SCALING_ROLE, VISIBILITY

DECLARED = ("variables", "targets")
"""The blocks that are about the spec and not about its job flow."""

_TARGET_KEYS = ("default", "variables", "description")
"""The keys that describe a target; everything else in it overrides the spec."""

MAX_EXPANDED = 10_000
_WORD = re.compile(r"\w+")
# An unclosed tag is an error, but the variables that it names still count as used.
_TAG_CONTENT = re.compile(r"\{[{%](.*?)(?:[%}]\}|\Z)", re.DOTALL)
# The forms in which shells and other tools write variables.
_OTHER_FORMS = re.compile(r"\$?\{(\w+)\}")


def render(
    document: Document,
    *,
    target: str | None = None,
    variables: MappingOf[str, Any] = {},
    variable_files: Sequence[str | os.PathLike[str]] = (),
    environ: MappingOf[str, str] | None = None,
    now: datetime | None = None,
    placeholders: bool = False,
) -> Document:
    """Returns the document as it is for one target, every template filled in.

    `target`: None selects the target with `default: true`, else the only target, else none. `variables` are those of
    the command line. `environ` (default: the process's) is read for `FLOWSPEC_VAR_*` and for names declared with `env:`
    alone. `now` (default: the present, UTC) gives `ds` and `ts`. With `placeholders`, a sensitive variable without a
    value gets a placeholder, which is reported: only for commands that check or show.

    Errors are collected in `Document.diagnostics`. `SpecError` is raised only for an unknown target and for variable
    files that can't be read, because then the other findings would be wrong.
    """
    if document.rendered:
        return document
    document = merge_bases(document)
    found = list(document.diagnostics)
    chosen, override = _choose_target(document, target, found)
    root = _apply_override(document.root, override, chosen, found)
    of_target = _mapping(override.get("variables")) if override else None
    read = read_files(variable_files)
    given = Given(variables, read, os.environ if environ is None else environ, of_target, placeholders)
    budget = Budget()
    clock = _time_variables(now)
    resolved = resolve(document, given, {**clock, "target": chosen}, budget)
    found += resolved.found
    found += _find_unused_variables(document, resolved.names, budget)
    body = _Renderer(resolved, budget, found).root(_entries_of(root, declared=False))
    return Document(
        document.path,
        document.source,
        _with_defaults(body),
        tuple(found),
        chosen,
        rendered=True,
        declared=_entries_of(document.root, declared=True),
        secrets=frozenset(resolved.secrets),
        sensitive=frozenset(resolved.sensitive),
        moment=clock["ts"],
    )


def _entries_of(root: Mapping, *, declared: bool) -> Mapping:
    """Returns the root of a spec with its declarations alone, or without them."""
    return Mapping({key: entry for key, entry in root.entries.items() if (key in DECLARED) is declared}, root.at)


def _with_defaults(root: Mapping) -> Mapping:
    """Returns the root of a spec with the values that its `defaults` stands for; what the spec says itself stays."""
    asked = root.get("defaults")
    if not isinstance(asked, Scalar) or asked.value != "recommended":
        return root
    groups = root.get("instance_groups")
    items = groups.items if isinstance(groups, Items) else ()
    scales = any(isinstance(one, Mapping) and one.get("auto_scaling_policy") for one in items)
    values = {**DEFAULT_ROLES, **(SCALING_ROLE if scales else {}), **VISIBILITY}
    filled = {
        key: (Scalar(key, key, asked.at), value_node(value, asked.at, "defaults: recommended"))
        for key, value in values.items()
        if key not in root.entries
    }
    return Mapping({**root.entries, **filled}, root.at, root.origin)


# The cost of masking, in steps of the budget (measured).
_SEARCHES_A_STEP = 7  # searches for a secret, of 0.14 µs
_CHARACTERS_A_SEARCH = 20  # characters of a text that take as long as one more search
_COMPARISONS_A_STEP = 2_000  # characters compared where a text nearly repeats a long secret


def _time_variables(now: datetime | None) -> dict[str, str]:
    moment = now or datetime.now(timezone.utc)
    if moment.tzinfo:
        moment = moment.astimezone(timezone.utc)
    return {"ds": moment.strftime("%Y-%m-%d"), "ts": moment.strftime("%Y%m%dT%H%M%SZ")}


def _mapping(node: Node | None) -> Mapping | None:
    return node if isinstance(node, Mapping) else None


# --- targets ---


def _choose_target(document: Document, wanted: str | None, found: list[Diagnostic]) -> tuple[str, Mapping | None]:
    block = _mapping(document.root.get("targets"))
    targets = {name: _mapping(node) for name, (_, node) in block.entries.items()} if block else {}
    if wanted is None:
        wanted = _default_target(document, targets, found)
    elif wanted not in targets:
        known = f"targets: {', '.join(targets)}" if targets else "this spec has no targets"
        hint = did_you_mean(wanted, targets)
        message = f"there is no target '{wanted}'"
        error = document.diagnostic("FS301", ("targets",), message, hint=hint, notes=(known,), key=True)
        raise SpecError([*found, error])
    return wanted, targets.get(wanted)


def _default_target(document: Document, targets: MappingOf[str, Mapping | None], found: list[Diagnostic]) -> str:
    defaults = {name: body.get("default") for name, body in targets.items() if body}
    marked = [name for name, node in defaults.items() if isinstance(node, Scalar) and node.value is True]
    for name in marked[1:]:
        message = f"'{marked[0]}' is the default target already"
        found.append(document.diagnostic("FS311", ("targets", name, "default"), message, hint="keep one"))
    if marked:
        return marked[0]
    return next(iter(targets)) if len(targets) == 1 else ""


def _apply_override(root: Mapping, override: Mapping | None, target: str, found: list[Diagnostic]) -> Mapping:
    if override is None:
        return root
    body = Mapping({key: entry for key, entry in override.entries.items() if key not in _TARGET_KEYS}, override.at)
    return merge_override(root, body, found, f"target {target}")


# --- templates and loops ---


class _Renderer:
    """Renders one tree. `found` collects findings; `variables.names` has item and index, too, inside of a loop."""

    def __init__(self, variables: Variables, budget: Budget, found: list[Diagnostic]) -> None:
        self.variables, self.budget, self.found = variables, budget, found
        self.expanded = 0
        self.loop = ""
        self.secrets = frozenset(variables.secrets)
        # The names with a secret in their values, with the values as they are shown. A placeholder is no secret.
        self.public = {
            name: _mask_scalars(variables.names.get(name))
            for name in variables.sensitive
            if variables.origins.get(name) != PLACEHOLDER
        }

    def root(self, node: Mapping) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for name, (key, value) in node.entries.items():
            if name in NAMED and isinstance(value, Items):
                items = tuple(one for item in value.items for one in self._render_item(item))
                entries[name] = (key, Items(items, value.at, value.origin))
            else:
                self._add_entry(entries, key, value)
        return Mapping(entries, node.at, node.origin)

    def node(self, node: Node) -> Node:
        if isinstance(node, Scalar):
            return self._render_scalar(node)
        self._count()
        if isinstance(node, Items):
            return Items(tuple(self.node(item) for item in node.items), node.at, node.origin)
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in node.entries.values():
            self._add_entry(entries, key, value)
        return Mapping(entries, node.at, node.origin)

    def _add_entry(self, entries: dict[str, tuple[Scalar, Node]], key: Scalar, value: Node) -> None:
        filled = self._render_key(key) if is_template(key.text) else key
        if filled.text in entries:
            self._report("FS006", f"templates give the key '{filled.text}' twice", key.at)
        entries.setdefault(filled.text, (filled, self.node(value)))

    def _render_key(self, key: Scalar) -> Scalar:
        filled = self._render_scalar(key)
        if isinstance(filled, Scalar) and (filled.failed or filled.value is not None):
            return filled
        self._report("FS323", "a key is a plain word", key.at)
        return replace(key, failed=True)

    def _count(self) -> None:
        try:
            self.budget.step()
        except TemplateError:
            # Aliases and loops multiply, so only the scalars below report it, once at each place.
            return

    def _render_scalar(self, node: Scalar) -> Node:
        if node.failed or not isinstance(node.value, str) or not is_template(node.text):
            return node
        try:
            value = evaluate(node.text, self.variables.names, self.budget)
            self._keep_secret(node.text, value)
            return value_node(value, node.at, self._origin_of(node))
        except TemplateError as error:
            if error.word not in node.text and self._reads_secret(node.text):
                # It is quoted from a value.
                self.variables.add_derived(error.word)
            self.found += template_problem(error, node)
            # Not dataclasses.replace, which takes five times as long: 300,000 templates can fail.
            return Scalar(node.value, node.text, node.at, node.plain, node.origin, failed=True)

    def _keep_secret(self, template: str, value: Any) -> None:
        """Adds the value of a template with a secret to the secrets, unless the value reveals nothing after masking."""
        if self._reads_secret(template) and value != MASK and self._mask_value(template, value) == MASK:
            self.variables.add_derived(str(value))

    def _reads_secret(self, template: str) -> bool:
        return bool(self.public) and not names_in(template, self.budget).isdisjoint(self.public)

    def _mask_value(self, template: str, value: Any) -> Any:
        """Returns the value of a template with its secrets masked; MASK if a part of a secret would remain.

        None remains if the template gives the same result after its inputs are masked.
        """
        self._count_masking(value)
        try:
            masked = evaluate(template, {**self.variables.names, **self.public}, self.budget)
        except TemplateError:
            if self.budget.exceeded:
                raise
            return MASK
        return masked if masked == mask(value, self.secrets) else MASK

    def _count_masking(self, value: Any) -> None:
        lengths = [len(str(one)) for one in leaves(value)]
        searches = len(self.secrets) * (len(lengths) + sum(lengths) // _CHARACTERS_A_SEARCH)
        self.budget.step(searches // _SEARCHES_A_STEP)
        comparisons = sum(max(0, length - len(secret)) * len(secret) for secret in self.secrets for length in lengths)
        self.budget.step(comparisons // _COMPARISONS_A_STEP)

    def _mask_secret_parts(self, node: Node, value: Any) -> Any:
        """Returns the value of a node of `for_each`, in which values made from secrets are masked."""
        if isinstance(node, Scalar):
            is_secret = is_template(node.text) and self._reads_secret(node.text)
            return self._mask_value(node.text, value) if is_secret else value
        if isinstance(node, Items):
            return [self._mask_secret_parts(one, item) for one, item in zip(node.items, value, strict=True)]
        children = (child for _, child in node.entries.values())
        # There are fewer values if templates give the same key twice, which is an error (FS006).
        return {
            key: self._mask_secret_parts(child, item)
            for child, (key, item) in zip(children, value.items(), strict=False)
        }

    def _origin_of(self, node: Scalar) -> str:
        used = (self._origin_of_name(name) for name in sorted(names_in(node.text, self.budget)))
        return ", ".join(part for part in (node.origin, *used) if part)

    def _origin_of_name(self, name: str) -> str:
        """Returns the origin of the value of a name, for a reader of `render --explain`."""
        if name in self.variables.origins:
            return f"variable {name} ({self.variables.origins[name]})"
        if name in BUILTIN:
            return f"{name} of this run"
        return f"{name} ({self.loop})" if name in ("item", "index") else ""

    def _report(self, id: str, message: str, at: Place, hint: str = "") -> None:  # noqa: A002
        self.found.append(at.source.diagnostic(id, message, at, hint=hint))

    def _render_item(self, node: Node) -> Iterator[Node]:
        if not isinstance(node, Mapping):
            yield self.node(node)
            return
        loop = node.get("for_each")
        if loop is None:
            yield from self._render_if_wanted(node)
            return
        outer, public = self.variables.names, self.public
        self.loop = f"for_each, {loop.at.location.file_and_line}"
        values = self._loop_values(loop)
        try:
            shown = self._mask_secret_parts(loop, values) if values else ()
        except TemplateError as error:
            self.found += template_problem(error, loop)
            return
        for index, value in enumerate(values):
            self.variables.names = {**outer, "item": value, "index": index}
            item = MASK if shown == MASK else shown[index]
            self.public = public if item == value else {**public, "item": item}
            yield from self._render_if_wanted(node)
        self.variables.names, self.public = outer, public

    def _loop_values(self, loop: Node) -> Sequence[Any]:
        filled = self.node(loop)
        if _any_failed(filled):
            return ()
        values = plain(filled)
        if not isinstance(values, list):
            hint = (
                "write a list, or a template that gives one; `item` is each of its values in turn"
                if not isinstance(values, str)
                else 'a template that gives a list stands alone: "{{ regions }}"'
            )
            self._report("FS326", "for_each must be a list", loop.at, hint)
            return ()
        self.expanded += len(values)
        if self.expanded > MAX_EXPANDED:
            self._report("FS324", f"loops make more than {MAX_EXPANDED} items", loop.at)
            return ()
        return values

    def _render_if_wanted(self, node: Mapping) -> Iterator[Node]:
        """Yields the rendered item without `when` and `for_each`; nothing when its `when` is false."""
        if self._is_wanted(node.get("when")):
            entries = {name: entry for name, entry in node.entries.items() if name not in ("when", "for_each")}
            yield self.node(Mapping(entries, node.at, node.origin))

    def _is_wanted(self, when: Node | None) -> bool:
        if when is None:
            return True
        filled = self.node(when)
        if isinstance(filled, Scalar) and (isinstance(filled.value, bool) or filled.failed):
            return filled.value is not False
        self._report("FS325", "when must be true or false", when.at, 'such as when: "{{ workers > 4 }}"')
        return True


def _mask_scalars(value: Any) -> Any:
    """Returns the value of a sensitive variable with MASK in place of each scalar."""
    if isinstance(value, dict):
        return {key: _mask_scalars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mask_scalars(item) for item in value]
    return MASK


def _any_failed(node: Node) -> bool:
    if isinstance(node, Scalar):
        return node.failed
    children: Iterable[Node] = node.items if isinstance(node, Items) else (value for _, value in node.entries.values())
    return any(_any_failed(one) for one in children)


def value_node(value: Any, at: Place, origin: str = "") -> Node:
    """Returns a plain value as nodes that all have the place of the template that made it."""
    if isinstance(value, dict):
        keys = {_scalar_text(key): key for key in value}
        return Mapping(
            {
                text: (Scalar(text, text, at, False, origin), value_node(value[key], at, origin))
                for text, key in keys.items()
            },
            at,
            origin,
        )
    if isinstance(value, list):
        return Items(tuple(value_node(item, at, origin) for item in value), at, origin)
    return Scalar(value, _scalar_text(value), at, not isinstance(value, str), origin)


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _find_unused_variables(document: Document, names: Container[str], budget: Budget) -> Iterator[Diagnostic]:
    """Yields a finding on each variable that no template of the spec uses, whatever the target."""
    declared = _mapping(document.root.get("variables"))
    if not declared:
        return
    texts = dict.fromkeys(one.text for one in scalars(document.root))
    templates = {one for one in texts if is_template(one)}
    words = {word for text in templates for word in _names_possibly_read(text, budget)}
    others = {found[1]: found[0] for text in texts for found in _OTHER_FORMS.finditer(text)}
    for name, (key, _) in declared.entries.items():
        # A base file declares variables for all files that extend it.
        is_own = key.at.source is document.source
        if is_own and name in names and name not in words and name not in BUILTIN:
            other = others.get(name)
            hint = f'write "{{{{ {name} }}}}" in place of {other}' if other else "remove it, or use it"
            yield document.diagnostic(
                "FS307", ("variables", name), f"nothing uses the variable '{name}'", hint=hint, key=True
            )


def _names_possibly_read(text: str, budget: Budget) -> Iterable[str]:
    """Returns the names that a template may read: for a template that sets no names itself, all words in its tags."""
    if "{%" in text:
        try:
            return names_in(text, budget)
        except TemplateError:
            # Its error is reported when the template is filled in; it may belong to another target.
            pass
    return (word for part in _TAG_CONTENT.findall(text) for word in _WORD.findall(part))
