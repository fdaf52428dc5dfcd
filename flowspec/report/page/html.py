"""Renders data as HTML by the templates beside this module, every text masked and escaped.

`document.rendering.jinja` runs the templates of specs in a sandbox that counts their work. Here the templates are
flowspec's own, but texts come from specs and clusters. Each text is masked, freed of control characters and escaped as
HTML when it is put into the page. A page needs no other file: its style and its script are in it, and its policy
(Content-Security-Policy) lets nothing else run or be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from flowspec.document.escaping import visible_line
from flowspec.document.masking import mask

# Seconds between two reloads of a live page without scripts; each reload scrolls the page to its top.
_WITHOUT_SCRIPT = 10


def render_page(
    template: str, values: Mapping[str, Any], *, secrets: Collection[str] = (), site: bool = False, live: int = 0
) -> str:
    """Renders a template with the `secrets` masked. `site`: for the endpoint, which sends the policy as a header.

    `live`: the page reads itself again after so many seconds (0: never).
    """
    page = {
        "site": site,
        "live": live,
        "live_without_script": max(live, _WITHOUT_SCRIPT),
        "style": _asset("style.css"),
        "script": _asset("script.js"),
        "policy": policy(),
        "secrets": frozenset(secrets),
    }
    return _environment().get_template(template).render({**page, **values})


@lru_cache(1)
def policy() -> str:
    """Returns the Content-Security-Policy of all pages: their own style and script, and no other origin."""
    return (
        f"default-src 'none'; style-src {_hash('style.css')}; script-src {_hash('script.js')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode()}'"


@lru_cache
def _asset(name: str) -> str:
    return (files("flowspec.report.page") / "templates" / name).read_text(encoding="utf-8")


@lru_cache(1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flowspec.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["split_at_code"] = _split_at_code
    return environment


@pass_context
def _shown(context: Context, value: Any) -> Any:
    """Returns a text in its safe form; existing HTML (of a macro) has its own type and is not changed."""
    if type(value) is not str:
        return value
    return "\n".join(map(visible_line, mask(value, context["secrets"]).split("\n")))


@pass_context
def _split_at_code(context: Context, text: str) -> list[str]:
    """Returns the parts of a sentence of flowspec's: every second one is code, between backquotes.

    It is masked as a whole: a secret may have backquotes.
    """
    return re.split("`([^`]+)`", _shown(context, text))
