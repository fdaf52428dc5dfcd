"""`type: hive`: a script in HiveQL. Source of the options: `hive --help`."""

from __future__ import annotations

from flowspec.request.steps.interpreter import Interpreter
from flowspec.request.steps.options import Option, Table

OPTIONS: Table = {
    "script": Option("-f"),
    "defines": Option("-d", "pairs"),
    "hiveconf": Option("-hiveconf", "pairs"),
}

_HIVE = Interpreter("hive", OPTIONS)
invocation = _HIVE.invocation
compile = _HIVE.compile
recognize = _HIVE.recognize
accesses = _HIVE.accesses
