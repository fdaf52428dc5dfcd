"""Terraform's configuration language -> the form it has as JSON. The only door to hcl2 (python-hcl2, an extra).

In that form every string is a template, and a string that is one `${ }` is an expression.
"""

from __future__ import annotations

import re
from typing import Any

from flowspec.document.tree import Place, Source
from flowspec.errors import FlowspecError
from flowspec.importers.refusal import refuse

_HEREDOC = re.compile(r'"?<<(?P<indented>-?)(?P<end>\w+)\n(?P<body>.*?)\n?[ \t]*(?P=end)"?', re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_TEMPLATE = re.compile(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\\(?P<escape>[nrt\"\\])")


def parse(source: Source) -> dict[str, Any]:
    """The blocks of a file, by their words. Raises `SpecError`; `FlowspecError` where hcl2 is not installed."""
    try:
        import hcl2
    except ImportError:
        raise FlowspecError(
            "reading Terraform's language needs python-hcl2", remedy="pip install 'flowspec[terraform]'"
        ) from None
    try:
        value = hcl2.loads(source.text if source.text.endswith("\n") else f"{source.text}\n")
    except Exception as error:  # noqa: BLE001 - hcl2 lets its parser's exceptions through
        line, column = getattr(error, "line", 0), getattr(error, "column", 1)
        at = Place(source, line, column, 1) if isinstance(line, int) and line > 0 else None
        refuse(source, f"this is not Terraform's language: {str(error).splitlines()[0][:160]}", at=at)
    plain: dict[str, Any] = _plain(value)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {unquoted(key): _plain(item) for key, item in value.items() if not re.fullmatch(r"__\w+__", key)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return unquoted(value) if isinstance(value, str) else value


def unquoted(text: str) -> str:
    """A string of the language as the template that it is."""
    heredoc = _HEREDOC.fullmatch(text)
    if heredoc:
        return _dedented(f"{heredoc['body']}\n") if heredoc["indented"] else f"{heredoc['body']}\n"
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _TEMPLATE.sub(lambda found: _ESCAPES[found["escape"]] if found["escape"] else found[0], text[1:-1])
    return text


def _dedented(body: str) -> str:
    lines = body.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)
