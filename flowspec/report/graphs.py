"""The graph of a flow's steps and data as text, as Mermaid, as SVG and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from html import escape

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.report import drawings, json_text
from flowspec.request.graph import Graph


def as_text(graph: Graph, secrets: Collection[str] = ()) -> str:
    """Returns each step with what it reads, writes and names, and the steps that this comes from."""
    return "\n".join(_mask_and_escape(line, secrets) for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    if not graph.steps:
        yield "no steps"
    for index, name in enumerate(graph.steps):
        yield f"{index + 1}. {name}"
        links = [one for one in graph.links if one.step == index]
        for link in links:
            sources = ", ".join(f"{source + 1}. {graph.steps[source]}" for source in link.sources)
            yield f"   {link.verb:<6} {link.uri}{f'  (from {sources})' if sources else ''}"
        if not links:
            yield "   names no data"


def as_mermaid(graph: Graph, secrets: Collection[str] = ()) -> str:
    """Returns a flowchart for Mermaid, which GitHub and GitLab draw.

    Steps are boxes, data are cylinders; without scripts.
    """
    links = graph.drawn
    data = {uri: f"d{index}" for index, uri in enumerate(dict.fromkeys(one.uri for one in links))}
    lines = ["flowchart LR"]
    lines += [f'  s{index}["{_label(f"{index + 1}. {name}", secrets)}"]' for index, name in enumerate(graph.steps)]
    lines += [f'  {node}[("{_label(uri, secrets)}")]' for uri, node in data.items()]
    for link in links:
        step, node = f"s{link.step}", data[link.uri]
        lines.append(f"  {_ARROWS[link.verb].format(step=step, data=node)}")
    # A folder inside another folder: the names alone do not connect them.
    known = {(one.step, one.uri) for one in links}
    lines += [
        f"  s{source} -.-> s{link.step}" for link in links for source in link.sources if (source, link.uri) not in known
    ]
    return "\n".join(lines)


_ARROWS = {
    "reads": "{data} --> {step}",
    "uses": "{data} --> {step}",
    "writes": "{step} --> {data}",
    "names": "{step} -.- {data}",
}


def _label(text: str, secrets: Collection[str]) -> str:
    """Returns a text between quotes in Mermaid, where only HTML entities escape; a backtick would begin Markdown."""
    return escape(_mask_and_escape(text, secrets)).replace("`", "&#96;")


def as_svg(graph: Graph, secrets: Collection[str] = ()) -> str:
    """Returns a self-contained SVG document, for light and dark; its description has all that the text has."""
    return drawings.draw(graph, as_text(graph, secrets), lambda text: _mask_and_escape(text, secrets))


def _mask_and_escape(text: str, secrets: Collection[str]) -> str:
    return visible(str(mask(text, secrets)))


def as_json(graph: Graph, secrets: Collection[str] = ()) -> str:
    """Returns the graph for programs: the names of steps, and for each use of data its step's index and the sources."""
    links = [{"step": one.step, "verb": one.verb, "uri": one.uri, "sources": list(one.sources)} for one in graph.links]
    return json_text.as_json({"steps": list(graph.steps), "data": links}, secrets)
