"""Draws the graph of a flow's steps and data as an SVG file, for dark and light mode, with a description in words.

Steps are a column in their order. Data from outside is to the left, and data that a step writes or names to the right,
each in the row of its first use. Every use has a row of its own at its step, so that no two lines lie on each other; a
place of data that is used again has a lane between the columns, which no other has in the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from html import escape
from itertools import count
from typing import NamedTuple

from flowspec.report.columns import cells
from flowspec.request.graph import Graph

# Pixels. A character of a 12 pixel monospaced font is 7.2 wide; browsers differ by a few per cent.
_CHARACTER, _ROW, _BOX, _LANE, _PAD = 7.5, 30, 24, 14, 10
# Longer texts are shortened; the tooltip has the whole text.
_LONGEST_NAME, _LONGEST_URI = 36, 48


class _Edge(NamedTuple):
    """A line between a step and a place of data, in a row of its own; `kind` is a verb of the graph, or "within"."""

    step: int
    row: int
    kind: str


@dataclass(slots=True)
class _Node:
    """A place of data: its uses in the order of the steps, and the lane of its lines, None where one row is all."""

    uri: str
    edges: list[_Edge] = field(default_factory=list)
    lane: int | None = None

    @property
    def row(self) -> int:
        return self.edges[0].row


class _Side:
    """The data on one side of the steps."""

    def __init__(self) -> None:
        self.nodes: dict[str, _Node] = {}
        self.lanes = 0

    def add(self, uri: str, edge: _Edge) -> None:
        self.nodes.setdefault(uri, _Node(uri)).edges.append(edge)

    def allot_lanes(self) -> None:
        """Gives each place with several rows the first lane that is free in all of them."""
        fresh, free, taken = count(), list[int](), list[tuple[int, int]]()
        for node in self.nodes.values():
            if len(node.edges) == 1:
                continue
            while taken and taken[0][0] < node.row:
                heappush(free, heappop(taken)[1])
            node.lane = heappop(free) if free else next(fresh)
            heappush(taken, (node.edges[-1].row, node.lane))
        self.lanes = next(fresh)


class _Layout:
    """The rows of steps and data. `starts` has the first row of each step, and the number of all at its end."""

    def __init__(self, graph: Graph) -> None:
        self.left, self.right = _Side(), _Side()
        self.starts = [0]
        uses = _uses(graph)
        for step in range(len(graph.steps)):
            rows = {id(self.left): self.starts[-1], id(self.right): self.starts[-1]}
            for uri, kind in uses[step]:
                side = self._side(uri, kind)
                side.add(uri, _Edge(step, rows[id(side)], kind))
                rows[id(side)] += 1
            self.starts.append(max(self.starts[-1] + 1, *rows.values()))
        for side in (self.left, self.right):
            side.allot_lanes()

    def _side(self, uri: str, kind: str) -> _Side:
        """Returns the side that a place already has; left if it is read first, and so comes from outside."""
        known = [side for side in (self.left, self.right) if uri in side.nodes]
        return known[0] if known else self.left if kind in {"reads", "uses"} else self.right


def _uses(graph: Graph) -> dict[int, list[tuple[str, str]]]:
    """Returns the places of data that each step uses, each once for a kind of use.

    A folder inside another one also belongs to the step that writes the outer one.
    """
    found: dict[int, dict[tuple[str, str], None]] = defaultdict(dict)
    writes = {(one.step, one.uri) for one in graph.links if one.verb == "writes"}
    for link in graph.drawn:
        for source in link.sources:
            if (source, link.uri) not in writes:
                found[source][link.uri, "within"] = None
        found[link.step][link.uri, link.verb] = None
    return defaultdict(list, {step: list(uses) for step, uses in found.items()})


def draw(graph: Graph, words: str, shown: Callable[[str], str]) -> str:
    """Draws a graph as an SVG document. `words` describe it to screen readers; `shown` masks and escapes a text."""
    layout = _Layout(graph)
    names = [_shorten_middle(shown(f"{index + 1}. {name}"), _LONGEST_NAME) for index, name in enumerate(graph.steps)]
    figure = _Figure(layout, names, shown)
    width, height = figure.width, layout.starts[-1] * _ROW + 2 * _PAD
    title = escape(shown(f"The steps of {graph.name}, and the data that they read and write"))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="flowspec-graph" role="img" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}"'
            ' aria-labelledby="flowspec-graph-title" aria-describedby="flowspec-graph-words">',
            f'<title id="flowspec-graph-title">{title}</title>',
            f'<desc id="flowspec-graph-words">{escape(words)}</desc>',
            _HEAD,
            *figure.lines(layout),
            *figure.boxes(layout, names, graph.steps),
            "</svg>",
        )
    )


# Contrasts in both schemes: texts 7:1 and more, lines 4.5:1 and more.
_HEAD = """<style>
.flowspec-graph { color-scheme: light dark; }
.flowspec-graph { --back: #fff; --text: #1c2128; --line: #57606a; --step: #e3eefb; --edge: #0b5cad; --data: #f5f6f8; }
@media (prefers-color-scheme: dark) {
.flowspec-graph { --back: #14171b; --text: #e4e7eb; --line: #a3acb8; --step: #17304d; --edge: #7db8f7; --data: #1c2026 }
}
.flowspec-graph text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: var(--text); white-space: pre; }
.flowspec-graph rect { fill: var(--data); stroke: var(--line); }
.flowspec-graph .step rect { fill: var(--step); stroke: var(--edge); }
.flowspec-graph .back { fill: var(--back); stroke: none; }
.flowspec-graph path { fill: none; stroke: var(--line); stroke-linejoin: round; }
.flowspec-graph .names, .flowspec-graph .within { stroke-dasharray: 5 4; }
.flowspec-graph marker path { fill: var(--line); stroke: none; }
</style>
<defs><marker id="flowspec-graph-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0L8 4L0 8Z"/></marker></defs>
<rect class="back" width="100%" height="100%"/>"""


class _Figure:
    """The elements of the drawing, and the left edge and the width of each column, as wide as its longest text."""

    def __init__(self, layout: _Layout, names: Iterable[str], shown: Callable[[str], str]) -> None:
        self._shown = shown
        self._left = self._column(_PAD, layout.left.nodes, _LONGEST_URI)
        start = _right_edge(self._left) + _gap_width(layout.left) if self._left[1] else _PAD
        self._steps = self._column(start, names, _LONGEST_NAME)
        start = _right_edge(self._steps) + _gap_width(layout.right)
        self._right = self._column(start, layout.right.nodes, _LONGEST_URI)
        self.width = _right_edge(self._right if self._right[1] else self._steps) + _PAD

    def _column(self, start: int, texts: Iterable[str], longest: int) -> tuple[int, int]:
        widest = max((cells(_shorten_middle(self._shown(one), longest)) for one in texts), default=0)
        return start, int(widest * _CHARACTER) + 2 * _PAD if widest else 0

    def lines(self, layout: _Layout) -> Iterator[str]:
        """Yields the lines between steps and data, all that is to be below the boxes."""
        ends = (_right_edge(self._left), self._steps[0], 1), (self._right[0], _right_edge(self._steps), -1)
        for side, (outer, inner, way) in zip((layout.left, layout.right), ends, strict=True):
            for node in side.nodes.values():
                # Lanes begin at the data, so that an arrow's head has room at the step.
                at = outer + way * _LANE * ((node.lane or 0) + 1)
                for edge in node.edges:
                    yield _line(edge, node.row, outer, at, inner)

    def boxes(self, layout: _Layout, names: list[str], full: Iterable[str]) -> Iterator[str]:
        """Yields the boxes of steps and data."""
        for index, (name, whole) in enumerate(zip(names, full, strict=True)):
            rows = layout.starts[index], layout.starts[index + 1]
            yield self._box("step", self._steps, rows, name, f"{index + 1}. {whole}")
        for side, column in ((layout.left, self._left), (layout.right, self._right)):
            for node in side.nodes.values():
                name = _shorten_middle(self._shown(node.uri), _LONGEST_URI)
                yield self._box("data", column, (node.row, node.row + 1), name, node.uri)

    def _box(self, kind: str, column: tuple[int, int], rows: tuple[int, int], name: str, full: str) -> str:
        (x, width), top, height = column, _row_middle(rows[0]) - _BOX // 2, (rows[1] - rows[0] - 1) * _ROW + _BOX
        corner = 4 if kind == "step" else _BOX // 2
        return (
            f'<g class="{kind}"><title>{escape(self._shown(full))}</title>'
            f'<rect x="{x}" y="{top}" width="{width}" height="{height}" rx="{corner}"/>'
            f'<text x="{x + _PAD}" y="{top + height // 2 + 4}">{escape(name)}</text></g>'
        )


def _line(edge: _Edge, row: int, outer: int, lane: int, inner: int) -> str:
    """Returns a line between the data at `outer`, in `row`, and the step at `inner`, along the lane."""
    points = [
        (outer, _row_middle(row)),
        (lane, _row_middle(row)),
        (lane, _row_middle(edge.row)),
        (inner, _row_middle(edge.row)),
    ]
    if edge.kind in {"writes", "within"}:
        points.reverse()
    if edge.row == row:
        points = [points[0], points[-1]]
    head = "" if edge.kind == "names" else ' marker-end="url(#flowspec-graph-arrow)"'
    return f'<path class="{edge.kind}" d="M{"L".join(f"{x} {y}" for x, y in points)}"{head}/>'


def _row_middle(row: int) -> int:
    return _PAD + row * _ROW + _ROW // 2


def _right_edge(column: tuple[int, int]) -> int:
    return sum(column)


def _gap_width(side: _Side) -> int:
    return (side.lanes + 3) * _LANE


def _shorten_middle(text: str, longest: int) -> str:
    """Returns the text, cut in the middle if it is too long: URIs often differ at their ends."""
    if cells(text) <= longest:
        return text
    half = longest // (2 if text.isascii() else 4)
    return f"{text[: half - 1]}…{text[-half:]}"
