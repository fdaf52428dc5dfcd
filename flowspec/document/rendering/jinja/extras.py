"""Filters that people know from Airflow, Ansible and dbt, and that jinja2 lacks."""

from __future__ import annotations

import re
from base64 import b64encode as _b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from posixpath import basename as _basename
from posixpath import dirname as _dirname
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from flowspec.document.rendering.budget import MAX_TEXT
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import kind_of
from flowspec.errors import shorten

_DATES = ("%Y-%m-%d", "%Y%m%dT%H%M%SZ", "%Y%m%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S")
"""The forms of a date: those of `ds` and `ts` first."""

# Without widths, which some C libraries allow up to any length, and without directives that depend on the language.
_DIRECTIVES = re.compile(r"%(?:[YmdHMSjyUWVGuaAbBpI%]|(?P<bad>.?))", re.DOTALL)


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


@pass_context
def regex_replace(context: Context, value: Any, pattern: Any, replacement: Any = "", count: int = 0) -> str:
    r"""Replaces what a regular expression (RE2's) finds; `\1` and `\g<name>` are groups."""
    from flowspec.document.rendering.patterns import PatternError, compile_pattern, replace

    try:
        found = compile_pattern(_require_text(pattern), _pattern_work(context))
        return replace(found, _require_text(replacement), _require_text(value), int(count))
    except PatternError as error:
        raise _pattern_error(error) from None


@pass_context
def regex_search(context: Context, value: Any, pattern: Any, group: int = 0) -> str | None:
    """Returns the first match of a regular expression (RE2), or its group of this number; null without a match."""
    from flowspec.document.rendering.patterns import PatternError, compile_pattern

    try:
        found = compile_pattern(_require_text(pattern), _pattern_work(context)).search(_require_text(value))
    except PatternError as error:
        raise _pattern_error(error) from None
    return (found.text, *found.groups)[int(group)] if found else None


def _pattern_work(context: Context) -> Any:
    """Returns the work that the patterns of one document have left."""
    from flowspec.document.rendering.patterns import PatternWork

    budget = context.environment.sizes.budget  # type: ignore[attr-defined]
    budget.patterns = budget.patterns or PatternWork()
    return budget.patterns


def _pattern_error(error: Any) -> TemplateError:
    return TemplateError("FS323", f"this regular expression can't be used: {error}", hint=error.hint)


def to_yaml(value: Any) -> str:
    """Returns a value as YAML in block style, without the last line end."""
    from flowspec.document.text.dump import dump

    return dump(_as_plain_data(value)).removesuffix("\n")


def _as_plain_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_plain_data(one) for key, one in value.items()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return [_as_plain_data(one) for one in value]


def b64encode(value: Any) -> str:
    """Returns a text's UTF-8 in Base64, as instance user data and some properties want it."""
    text = _require_text(value).encode()
    if len(text) > MAX_TEXT * 3 // 4:
        raise TemplateError("FS324", f"a template may make up to {MAX_TEXT} characters")
    return _b64encode(text).decode()


def basename(value: Any) -> str:
    """Returns the part of a path or URI after the last /."""
    return _basename(_require_text(value))


def dirname(value: Any) -> str:
    """Returns the part of a path or URI before the last /."""
    return _dirname(_require_text(value))


def days(value: Any, count: int) -> str:
    """Returns a date so many days later, in the form it has; earlier for a negative number."""
    moment, form = _parse_date(value)
    return (moment + timedelta(days=_require_integer(count))).strftime(form)


def strftime(value: Any, form: Any) -> str:
    """Returns a date in another form, with the directives of Python's strftime that have a fixed width."""
    for found in _DIRECTIVES.finditer(_require_text(form)):
        if found["bad"] is not None:
            raise TemplateError("FS323", f"strftime has no %{found['bad']} here", word="strftime")
    return _parse_date(value)[0].strftime(_require_text(form))


def _parse_date(value: Any) -> tuple[datetime, str]:
    for form in _DATES:
        try:
            moment = datetime.strptime(_require_text(value), form)
        except ValueError:
            continue
        if moment.strftime(form) == value:
            return moment, form
    raise TemplateError(
        "FS323", f"'{shorten(value, 40)}' is not a date such as 2026-11-22", hint="the form is YYYY-MM-DD"
    )


def _require_integer(value: Any) -> int:
    if not isinstance(value, int):
        raise TemplateError("FS323", f"a number of days is an integer, not {kind_of(value)}")
    return int(value)


EXTRAS: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (regex_replace, regex_search, to_yaml, b64encode, basename, dirname, days, strftime)
}
