"""Template text → Python function, by jinja2's parser and code generator. Nothing of a template runs here."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from math import isfinite
from typing import Any, NamedTuple

from jinja2 import TemplateSyntaxError, nodes, runtime
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.nodes import EvalContext
from jinja2.parser import Parser

from flowspec.document.rendering.jinja.filters import unknown_name_error
from flowspec.document.rendering.jinja.sandbox import ENVIRONMENT, Sandbox
from flowspec.document.rendering.jinja.sizes import MAX_BITS
from flowspec.document.rendering.template_errors import TemplateError

FILE = "<template>"
"""The file name of compiled templates in tracebacks."""

# All functions of Python that the generated code calls.
_BUILTINS = {"isinstance": isinstance, "dict": dict, "slice": slice}
_NAMESPACE = {name: getattr(runtime, name) for name in runtime.exported} | {"__builtins__": _BUILTINS}
_TOO_DEEP = "the template is nested too deeply"

_NODES = (
    "Template Output TemplateData If For Assign AssignBlock Macro CallBlock FilterBlock With Name NSRef Const Tuple "
    "List Dict Pair Keyword CondExpr Filter Test Call Getattr Getitem Slice Concat Compare Operand Add Sub Mul Div "
    "FloorDiv Mod Pow And Or Not Neg Pos"
)
_ALLOWED = frozenset(_NODES.split())
_REFUSED = {
    "Include": "{% include %}",
    "Import": "{% import %}",
    "FromImport": "{% import %}",
    "Extends": "{% extends %}",
    "Block": "{% block %}",
    "ScopedEvalContextModifier": "{% autoescape %}",
}
_BODIES = ("body", "else_")
_TAG = re.compile(r"\{[{%]")


class Compiled(NamedTuple):
    """A template that can be run. `names` are the names that it reads and does not set itself."""

    function: Callable[[Any, Sandbox], Any]
    names: frozenset[str]
    text: str
    lines: tuple[tuple[int, int], ...]

    def offset(self, code_line: int) -> int:
        """Returns the offset in the template's text of the tag that a line of the generated code was made from."""
        at = bisect_right(self.lines, (code_line, 1 << 30)) - 1
        return tag_at(self.text, self.lines[at][1] if at >= 0 else 1)


def compile_template(text: str) -> Compiled:
    """Compiles a template. Raises `TemplateError`: FS320 for syntax, FS322 for refused parts, FS324 for depth."""
    try:
        # Not Environment.compile: for each error, it compiles and runs code to make a readable traceback.
        tree = Parser(ENVIRONMENT, text).parse()
        _check_tree(tree, text)
        source = StringIO()
        generator = _Generator(ENVIRONMENT, None, None, source, optimized=False)
        generator.visit(tree)
        function = _load_function(source.getvalue())
    except TemplateSyntaxError as error:
        raise _syntax_error(error, text) from None
    except (RecursionError, MemoryError, SyntaxError):
        # Python's own limits: 20 loops in each other, 100 levels of indentation, its parser's stack.
        raise TemplateError("FS324", _TOO_DEEP) from None
    except ValueError:
        raise TemplateError("FS324", f"a template may make numbers of up to {MAX_BITS} bits") from None
    lines = tuple((code, line) for line, code in generator.debug_info)
    return Compiled(function, frozenset(generator.names), text, lines)


def tag_at(text: str, line: int) -> int:
    """Returns the offset of the first tag in a line of a template; of the last one before, when none begins there."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    found = _TAG.search(text, start)
    end = text.find("\n", start)
    if found and (end < 0 or found.start() <= end):
        return found.start()
    return max(text.rfind("{{", 0, start), text.rfind("{%", 0, start), 0)


def _load_function(source: str) -> Callable[[Any, Sandbox], Any]:
    namespace = dict(_NAMESPACE)
    exec(compile(source, FILE, "exec", dont_inherit=True), namespace)  # noqa: S102 - what jinja2 generated
    function: Callable[[Any, Sandbox], Any] = namespace["root"]
    return function


_TAG_ENDS = {"{{": "}}", "{%": "%}", "{#": "#}"}


def _syntax_error(error: TemplateSyntaxError, text: str) -> TemplateError:
    message = (error.message or "").rstrip(".")
    named = re.match(r"No (filter|test) named '(.*)'$", message)
    unclosed = (one for one in _TAG_ENDS.items() if text.count(one[0]) > text.count(one[1]))
    hint = next((f"close {begin} with {end}" for begin, end in unclosed), "")
    made = TemplateError("FS320", f"this template can't be parsed: {message}", hint=hint)
    made = unknown_name_error(named[1], named[2]) if named else made
    made.offset = tag_at(text, error.lineno)
    return made


# --- what is refused before anything runs ---


def _check_tree(tree: nodes.Template, text: str) -> None:
    """Refuses statements that load something, names that begin with _, and numbers that are too large."""
    waiting: list[tuple[nodes.Node, Iterator[nodes.Node]]] = [(tree, tree.iter_child_nodes())]
    while waiting:
        node, children = waiting[-1]
        child = next(children, None)
        if child is not None:
            waiting.append((child, child.iter_child_nodes()))
            continue
        # After its children: of `a.__b__.__c__` the first is named.
        waiting.pop()
        try:
            _check_node(node)
        except TemplateError as error:
            error.offset = tag_at(text, node.lineno)
            raise


def _check_node(node: nodes.Node) -> None:
    kind = type(node).__name__
    if kind not in _ALLOWED:
        what = _REFUSED.get(kind, f"this ({kind})")
        raise TemplateError("FS322", f"{what} is not allowed in templates: they load nothing")
    check = _CHECKS.get(kind)
    if check:
        check(node)


def _check_name(node: nodes.Name) -> None:
    if node.name in ("self", "super"):
        raise TemplateError("FS321", f"'{node.name}' is undefined: it is about blocks", word=node.name)


def _check_word(word: str) -> None:
    if word.startswith("_"):
        raise TemplateError("FS322", f"'{word}': names that begin with _ can't be reached", word=word)


def _check_constant(node: nodes.Const) -> None:
    if isinstance(node.value, int) and node.value.bit_length() > MAX_BITS:
        raise TemplateError("FS324", f"a template may make numbers of up to {MAX_BITS} bits")
    if isinstance(node.value, float) and not isfinite(node.value):
        raise TemplateError("FS324", "this number is too large")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "Name": _check_name,
    "NSRef": lambda node: _check_word(node.attr),
    "Getattr": lambda node: _check_word(node.attr),
    "Keyword": lambda node: _check_word(node.key),
    "Const": _check_constant,
}


# --- the code generator ---


class _Generator(CodeGenerator):
    """jinja2's code generator, which passes each operation that could take much time or memory to the sandbox.

    The generated module is one function, `root(context, environment)`; it can be called for any document,
    since the document's budget is in its `environment`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names: set[str] = set()
        # Calls of the environment around single nodes, by the node's identity: the method and its further arguments.
        self._hooks: dict[int, tuple[str, Any]] = {}
        self._more: dict[int, int] = {}

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802 - as jinja2 calls it
        frame = Frame(EvalContext(self.environment, None))
        frame.symbols.analyze_node(node)
        frame.toplevel = frame.rootlevel = True
        self.writeline("def root(context, environment, missing=missing):")
        self.indent()
        self.writeline("resolve = context.resolve_or_missing")
        self.writeline("undefined = environment.undefined")
        self.writeline("concat = environment.concat")
        self.writeline("cond_expr_undefined = Undefined")
        self.enter_frame(frame)
        self.pull_dependencies(node.body)
        lone = lone_expression(node.body)
        if lone is None:
            self.buffer(frame)
            self.blockvisit(node.body, frame)
            self.return_buffer_contents(frame)
        else:
            self.writeline(f"environment.step({_count_nodes([lone])})", lone)
            self.writeline("return ", lone)
            self.visit(lone, frame)

    def enter_frame(self, frame: Frame) -> None:
        loads = frame.symbols.loads.values()
        self.names.update(name for action, name in loads if action == VAR_LOAD_RESOLVE and name)
        super().enter_frame(frame)

    def pull_dependencies(self, nodes: Iterable[nodes.Node]) -> None:
        for kind, known in (("filters", self.filters), ("tests", self.tests)):
            for name in sorted(_names_used(nodes, kind)):
                known[name] = self.temporary_identifier()
                self.writeline(f"{known[name]} = environment.{kind}[{name!r}]")

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        more = self._more.pop(id(nodes), 0)
        self.writeline(f"environment.step({_count_nodes(nodes) + more})")
        super().blockvisit(nodes, frame)

    def macro_body(self, node: Any, frame: Frame) -> Any:
        # Defaults of parameters are evaluated in each call.
        self._more[id(node.body)] = _count_nodes(node.defaults) + len(node.args)
        return super().macro_body(node, frame)

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> None:
        hook, given = self._hooks.pop(id(node), ("", None))
        if not hook:
            super().visit(node, *args, **kwargs)
            return
        self.write(f"environment.{hook}(")
        super().visit(node, *args, **kwargs)
        self.write(f", {given!r})")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - as jinja2 calls it
        self._hooks[id(node.iter)] = "iterated", _count_nodes([node.test] if node.test else [])
        super().visit_For(node, frame)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802 - as jinja2 calls it
        called = node.node
        name = getattr(called, "name" if isinstance(called, nodes.Name) else "attr", "")
        self._hooks[id(called)] = "callee", name
        super().visit_Call(node, frame, forward_caller=forward_caller)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:  # noqa: ARG002
        self.write("environment.written(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:  # noqa: ARG002
        self.write(")")

    def _make_finalize(self) -> Any:
        # Without a function for constants, no constant is evaluated during compilation.
        return self._FinalizeInfo(None, None)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - as jinja2 calls it
        self.write("environment.joined((")
        self._write_arguments(node.nodes, frame)
        self.write("))")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - as jinja2 calls it
        self.write("{")
        for pair in node.items:
            self.write("environment.key(")
            self.visit(pair.key, frame)
            self.write("): ")
            self.visit(pair.value, frame)
            self.write(", ")
        self.write("}")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - as jinja2 calls it
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.getitem(")
        self.visit(node.node, frame)
        self.write(", slice(")
        none = nodes.Const(None)
        self._write_arguments((one or none for one in (node.arg.start, node.arg.stop, node.arg.step)), frame)
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802 - as jinja2 calls it
        """Compiles `a < b < c` to `(compare('lt', a, t := b) and compare('lt', t, c))`: b is evaluated once."""
        self.write("(")
        left: str | None = None
        for index, operand in enumerate(node.ops):
            self.write(f"{' and ' if index else ''}environment.compare({operand.op!r}, ")
            if left is None:
                self.visit(node.expr, frame)
            else:
                self.write(left)
            left = self.temporary_identifier()
            self.write(f", ({left} := ")
            self.visit(operand.expr, frame)
            self.write("))")
        self.write(")")

    def _write_arguments(self, parts: Iterable[nodes.Node], frame: Frame) -> None:
        for part in parts:
            self.visit(part, frame)
            self.write(", ")


def lone_expression(body: list[nodes.Node]) -> nodes.Expr | None:
    """Returns the single expression of a template that has nothing else; its value keeps its type."""
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        only = body[0].nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


def _count_nodes(parts: Iterable[nodes.Node]) -> int:
    """Returns the nodes in statements, without the bodies of statements in them, which are counted when they run."""
    return 1 + sum(1 for _ in _walk_nodes(parts, lambda node: node.iter_child_nodes(exclude=_BODIES)))


def _names_used(parts: Iterable[nodes.Node], kind: str) -> set[str]:
    wanted = nodes.Filter if kind == "filters" else nodes.Test
    return {node.name for node in _walk_nodes(parts, nodes.Node.iter_child_nodes) if isinstance(node, wanted)}


def _walk_nodes(
    parts: Iterable[nodes.Node], children: Callable[[nodes.Node], Iterable[nodes.Node]]
) -> Iterator[nodes.Node]:
    waiting = list(parts)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(children(node))
