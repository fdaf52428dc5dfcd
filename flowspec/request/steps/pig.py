"""`type: pig`: a script in Pig Latin. Source of the options: `pig -help`."""

from __future__ import annotations

from flowspec.request.steps.interpreter import Interpreter
from flowspec.request.steps.options import Option, Table

OPTIONS: Table = {
    "script": Option("-f"),
    "params": Option("-p", "pairs"),
}

_PIG = Interpreter("pig", OPTIONS)
invocation = _PIG.invocation
compile = _PIG.compile
recognize = _PIG.recognize
accesses = _PIG.accesses
