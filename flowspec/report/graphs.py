"""The graph of a flow's steps and data as text, as Mermaid and as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from html import escape

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.request.graph import Graph


def as_text(graph: Graph, secrets: Collection[str] = ()) -> str:
    """Each step with what it reads, writes and names, and the steps that this comes from."""
    return "\n".join(visible(str(mask(line, secrets))) for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    for index, name in enumerate(graph.steps):
        yield f"{index + 1}. {name}"
        links = [one for one in graph.links if one.step == index]
        for link in links:
            sources = ", ".join(f"{source + 1}. {graph.steps[source]}" for source in link.sources)
            yield f"   {link.verb:<6} {link.uri}{f'  (from {sources})' if sources else ''}"
        if not links:
            yield "   names no data"


def as_mermaid(graph: Graph, secrets: Collection[str] = ()) -> str:
    """A flowchart for Mermaid, which GitHub and GitLab draw: steps are boxes, data are cylinders."""
    data = {uri: f"d{index}" for index, uri in enumerate(dict.fromkeys(one.uri for one in graph.links))}
    lines = ["flowchart LR"]
    lines += [f'  s{index}["{_label(f"{index + 1}. {name}", secrets)}"]' for index, name in enumerate(graph.steps)]
    lines += [f'  {node}[("{_label(uri, secrets)}")]' for uri, node in data.items()]
    for link in graph.links:
        step, node = f"s{link.step}", data[link.uri]
        lines.append(f"  {' '.join(_ARROWS[link.verb]).format(step=step, data=node)}")
    # A folder in another's: the name alone does not connect them.
    lines += [
        f"  s{source} -.-> s{link.step}"
        for link in graph.links
        for source in link.sources
        if not any(one.step == source and one.uri == link.uri for one in graph.links)
    ]
    return "\n".join(lines)


_ARROWS = {
    "reads": ("{data}", "-->", "{step}"),
    "writes": ("{step}", "-->", "{data}"),
    "names": ("{step}", "-.-", "{data}"),
}


def _label(text: str, secrets: Collection[str]) -> str:
    """A text between quotes in Mermaid, where only HTML entities escape; a backtick would begin Markdown."""
    return escape(visible(str(mask(text, secrets)))).replace("`", "&#96;")


def as_json(graph: Graph, secrets: Collection[str] = ()) -> str:
    """The graph for programs: the names of steps, and for each use of data the step's index and its sources'."""
    links = [{"step": one.step, "verb": one.verb, "uri": one.uri, "sources": list(one.sources)} for one in graph.links]
    return json.dumps(mask({"steps": list(graph.steps), "data": links}, secrets), indent=2, ensure_ascii=False)
