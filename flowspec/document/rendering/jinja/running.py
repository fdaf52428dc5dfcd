"""A compiled template and names → its value, or a `TemplateError` that says what is wrong in terms of the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from jinja2 import TemplateRuntimeError, Undefined, UndefinedError
from jinja2.utils import missing

from flowspec.document.rendering.jinja.compiler import FILE, Compiled
from flowspec.document.rendering.jinja.filters import unknown_name_error
from flowspec.document.rendering.jinja.methods import FUNCTIONS
from flowspec.document.rendering.jinja.sandbox import Names, Sandbox, UndefinedUseError
from flowspec.document.rendering.template_errors import (
    MAX_COMPARED,
    TemplateError,
    missing_key_error,
    undefined_name_error,
)
from flowspec.document.rendering.values import kind_of

_ERROR = 300
"""Steps that an error costs."""


def run(compiled: Compiled, names: Mapping[str, Any], sandbox: Sandbox) -> Any:
    """Returns the value of a template. Raises `TemplateError` for every failure."""
    try:
        return sandbox.finished(compiled.function(Names(sandbox, names), sandbox))
    except Exception as error:  # noqa: BLE001 - a template can make Python raise nearly anything
        # Making the message takes time, and further templates may fail as well.
        sandbox.sizes.budget.steps -= _ERROR + _comparison_steps(error, names)
        made = _as_template_error(error, names)
        if made.offset is None:
            made.offset = compiled.offset(_generated_line(error.__traceback__))
    raise made


def _comparison_steps(error: Exception, names: Mapping[str, Any]) -> int:
    """Returns the number of steps to find the name that is nearest to an undefined one."""
    if not isinstance(error, UndefinedUseError):
        return 0
    owner = error.value._undefined_obj
    return 20 * min(len(owner if isinstance(owner, dict) else names), MAX_COMPARED)


def _generated_line(traceback: TracebackType | None) -> int:
    """Returns the line of the generated code that an error came from: the innermost one."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _as_template_error(error: Exception, names: Mapping[str, Any]) -> TemplateError:
    if isinstance(error, TemplateError):
        return error
    if isinstance(error, UndefinedUseError):
        return _explain_undefined(error.value, names)
    if isinstance(error, RecursionError | MemoryError):
        return TemplateError("FS324", "the template is nested too deeply")
    if isinstance(error, UndefinedError | TemplateRuntimeError):
        message = (error.message or "").rstrip(".")
        named = re.match(r"No (filter|test) named '(.*)' found$|No (filter|test) named '(.*)'$", message)
        if named:
            return unknown_name_error(named[1] or named[3], named[2] or named[4])
        return TemplateError("FS323", message[:1].lower() + message[1:])
    return TemplateError("FS323", f"this template can't be evaluated: {_describe_error(error)}")


def _describe_error(error: Exception) -> str:
    """Returns the reason of an error in the terms of templates instead of Python's."""
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, ArithmeticError):
        return "a number is too large"
    if str(error).startswith("macro '"):
        return str(error)
    if "unpack" in str(error):
        return "there are not as many values as names for them"
    if "unhashable" in str(error):
        return "a list or mapping can't be a key"
    return "an operation was given a value of a kind that it can't be used with"


def _explain_undefined(value: Undefined, names: Mapping[str, Any]) -> TemplateError:  # noqa: PLR0911 - one for each case
    name, owner, hint = value._undefined_name, value._undefined_obj, value._undefined_hint
    if isinstance(name, Undefined):
        return _explain_undefined(name, names)
    if hint:
        text = hint.rstrip(".")
        return TemplateError("FS323", text[:1].lower() + text[1:], word=name or "")
    if isinstance(name, str) and owner is not missing and hasattr(type(owner), name):
        message = f"{kind_of(owner)} has no '{name}' that can be reached in templates"
        return TemplateError("FS322", message, word=name)
    if isinstance(owner, dict):
        return missing_key_error(str(name), owner)
    if not isinstance(name, str):
        count = f", there are {len(owner)}" if hasattr(owner, "__len__") else ""
        shown = name if isinstance(name, int | float) else kind_of(name)
        return TemplateError("FS323", f"there is no item {shown}{count}")
    if name == "lipsum":
        return unknown_name_error("function", name)
    if owner is missing:
        return undefined_name_error(name, names, FUNCTIONS)
    return TemplateError("FS321", f"{kind_of(owner)} has no '{name}'", word=name)
