"""Terraform's functions on values that are known, as its documentation describes them.

Those that look at a text or a number get values without placeholders; those in `LENIENT` only pass values on.
Functions that depend on the time, on chance or on the machine are left out: their results are not known here.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import posixpath
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

from flowspec.importers.terraform.syntax import SyntaxFault
from flowspec.importers.terraform.values import SetOf, Unknown, equal, is_number, to_number, to_text, to_truth

FAULTS = (Unknown, SyntaxFault, ArithmeticError, LookupError, TypeError, ValueError, StopIteration, RecursionError)
"""The exceptions that a function raises for arguments that it does not take."""

# What range() refuses to exceed.
_LONGEST_RANGE = 1024
# Spaces of a text that is wider; Terraform itself runs out of memory with enough of them.
_MOST_SPACES = 10_000
# No regular expression of a stranger is tried on more than this; see `_pattern`.
_LONGEST_SUBJECT = 2000
_UNBOUNDED = re.compile(r"[*+]|\{\d+,\}")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unknown
    return value


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unknown
    return value


# --- collections ---


def _element(items: Any, index: Any) -> Any:
    return _list(items)[int(to_number(index)) % len(items)]


def _flatten(items: Any) -> list[Any]:
    return [inner for one in _list(items) for inner in (_flatten(one) if isinstance(one, list) else [one])]


def _lookup(content: Any, key: Any, *default: Any) -> Any:
    if to_text(key) in _map(content):
        return content[to_text(key)]
    if not default:
        raise Unknown
    return default[0]


def _merge(*objects: Any) -> dict[str, Any]:
    return {key: value for one in objects if one is not None for key, value in _map(one).items()}


def _range(*limits: Any) -> list[Any]:
    numbers = [int(to_number(one)) for one in limits if to_number(one) == int(to_number(one))]
    made = range(*numbers)
    if len(numbers) != len(limits) or len(made) > _LONGEST_RANGE:
        raise Unknown
    return list(made)


def _slice(items: Any, begin: Any, end: Any) -> list[Any]:
    first, last = int(to_number(begin)), int(to_number(end))
    if not 0 <= first <= last <= len(_list(items)):
        raise Unknown
    return list(items[first:last])


def _distinct(items: Any) -> list[Any]:
    return list({json.dumps(one, sort_keys=True): one for one in _list(items)}.values())


def _length(value: Any) -> int:
    if not isinstance(value, list | dict | str):
        raise Unknown
    return len(value)


def _chunks(items: Any, size: Any) -> list[Any]:
    step = int(to_number(size))
    return [list(items[at : at + step]) for at in range(0, len(_list(items)), step)]


def _transpose(content: Any) -> dict[str, Any]:
    out: dict[str, list[str]] = {}
    for key, values in sorted(_map(content).items()):
        for value in _list(values):
            out.setdefault(value, []).append(key)
    return out


def _product(*lists: Any) -> list[Any]:
    if math.prod(len(_list(one)) for one in lists) > _LONGEST_RANGE:
        raise Unknown
    return [list(one) for one in itertools.product(*lists)]


def _sorted(items: Any) -> list[str]:
    return sorted(map(to_text, _list(items)), key=str.encode)


def _one(items: Any) -> Any:
    if len(_list(items)) > 1:
        raise Unknown
    return items[0] if items else None


def _contains(items: Any, wanted: Any) -> bool:
    return any(equal(one, wanted) for one in _list(items))


def _index(items: Any, wanted: Any) -> int:
    return _list(items).index(wanted)


def _zipmap(keys: Any, values: Any) -> dict[str, Any]:
    return dict(zip(map(to_text, _list(keys)), _list(values), strict=True))


def _matchkeys(values: Any, keys: Any, wanted: Any) -> list[Any]:
    return [value for value, key in zip(_list(values), _list(keys), strict=True) if key in _list(wanted)]


def _coalesce(*values: Any) -> Any:
    found = next((one for one in values if one not in (None, "")), None)
    if found is None:
        raise Unknown
    return found


def _coalesce_lists(*lists: Any) -> list[Any]:
    return next(one for one in lists if _list(one))


# --- texts ---


def _format(pattern: Any, *args: Any) -> str:
    values = iter(args)

    def replaced(found: re.Match[str]) -> str:
        if found["verb"] == "%":
            return "%"
        return _formatted(found["flags"], found["verb"], next(values))

    made = re.sub(r"%(?P<flags>[-+0 #]*[0-9]*(?:\.[0-9]+)?)(?P<verb>[a-zA-Z%])", replaced, to_text(pattern))
    if next(values, values) is not values:
        raise Unknown
    return made


def _formatted(flags: str, verb: str, value: Any) -> str:
    if any(int(number) > _MOST_SPACES for number in re.findall(r"\d+", flags)):
        raise Unknown
    if verb in "dxXobeEfgG":
        number = to_number(value)
        if verb == "b" or (verb in "dxXo" and number != int(number)):
            raise Unknown
        return f"%{flags}{verb}" % (int(number) if verb in "dxXo" else number)
    if verb == "t":
        return to_text(to_truth(value))
    if verb == "q":
        return f"%{flags}s" % json.dumps(to_text(value), ensure_ascii=False)
    if verb == "s" or (verb == "v" and not isinstance(value, list | dict) and value is not None):
        return f"%{flags}s" % to_text(value)
    if verb == "v" and not flags:
        return jsonencode(value)
    raise Unknown


def _format_list(pattern: Any, *args: Any) -> list[str]:
    lengths = {len(one) for one in args if isinstance(one, list)}
    if len(lengths) != 1:
        raise Unknown
    return [
        _format(pattern, *(one[at] if isinstance(one, list) else one for one in args)) for at in range(lengths.pop())
    ]


def _pattern(text: Any, subject: str) -> re.Pattern[str]:
    """Returns a regular expression of Go's library, where Python's reads it alike and its time is bounded.

    Python's engine goes back: a repeated group with a repetition in it, or many unbounded repetitions on a long
    text, could take for ever. Raises `Unknown`.
    """
    source = to_text(text)
    strange = re.search(r"\\[pPzQEC]|\[\[:|\(\?(?!P<|:|i\))|\)[*+{]|[*+?}]\+", source)
    unbounded = len(_UNBOUNDED.findall(source))
    limit = _LONGEST_SUBJECT if unbounded <= 1 else _LONGEST_SUBJECT // 10
    if strange or unbounded > 4 or len(subject) > limit:
        raise Unknown
    try:
        # Go's $ and \d are those of ASCII, and $ is the very end.
        return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", source), re.ASCII)
    except re.error:
        raise Unknown from None


def _replace(text: Any, old: Any, new: Any) -> str:
    subject, wanted, instead = to_text(text), to_text(old), to_text(new)
    if len(wanted) > 1 and wanted[0] == wanted[-1] == "/":
        if "\\" in instead or re.search(r"\$(?![0-9]|\{[0-9]+\})", instead):
            raise Unknown
        # In Go, $1x is the group called 1x.
        if re.search(r"\$[0-9]+\w", instead):
            raise Unknown
        groups = re.sub(r"\$\{?([0-9]+)\}?", r"\\g<\1>", instead)
        return _pattern(wanted[1:-1], subject).sub(groups, subject)
    return subject.replace(wanted, instead)


def _regex(pattern: Any, text: Any) -> Any:
    found = _pattern(pattern, to_text(text)).search(to_text(text))
    if not found:
        raise Unknown
    return _groups(found)


def _groups(found: re.Match[str]) -> Any:
    if found.groupdict():
        return found.groupdict()
    return list(found.groups()) if found.groups() else found[0]


def _regexall(pattern: Any, text: Any) -> list[Any]:
    return [_groups(found) for found in _pattern(pattern, to_text(text)).finditer(to_text(text))]


def _substr(text: Any, begin: Any, length: Any) -> str:
    subject, first, count = to_text(text), int(to_number(begin)), int(to_number(length))
    first = first + len(subject) if first < 0 else first
    return subject[first:] if count < 0 else subject[first : first + count]


def _title(text: Any) -> str:
    return re.sub(r"(^|\s)(\S)", lambda found: found[1] + found[2].upper(), to_text(text))


def _indent(spaces: Any, text: Any) -> str:
    number = int(to_number(spaces))
    if number > _MOST_SPACES:
        raise Unknown
    return to_text(text).replace("\n", "\n" + " " * number)


def _split(mark: Any, text: Any) -> list[str]:
    return to_text(text).split(to_text(mark)) if to_text(mark) else list(to_text(text))


# --- encodings ---


def jsonencode(value: Any) -> str:
    """Returns the JSON that Terraform writes: keys in order, no spaces, and what HTML reads escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _jsondecode(text: Any) -> Any:
    return json.loads(to_text(text), parse_float=lambda digits: float(Decimal(digits)))


def _base64decode(text: Any) -> str:
    return base64.b64decode(to_text(text), validate=True).decode("utf-8")


def _hashed(name: str) -> Callable[[Any], str]:
    return lambda text: hashlib.new(name, to_text(text).encode(), usedforsecurity=False).hexdigest()


# --- numbers ---


def _number_of(many: tuple[Any, ...], choose: Callable[..., Any]) -> Any:
    return choose(map(to_number, many))


def _log(number: Any, base: Any) -> float:
    # What a float can't say exactly is not the number that Terraform has.
    made = math.log(to_number(number), to_number(base))
    if round(made) != made:
        raise Unknown
    return int(made)


def _parse_int(text: Any, base: Any) -> int:
    return int(to_text(text), int(to_number(base)))


def _sum(items: Any) -> Any:
    total = sum((Decimal(repr(to_number(one))) for one in _list(items)), Decimal(0))
    return to_number(str(total))


def _as_list(value: Any) -> list[Any]:
    return _unified(list(_list(value)))


def _as_map(value: Any) -> dict[str, Any]:
    return dict(zip(_map(value), _unified(list(value.values())), strict=True))


# Functions that only pass values on, so that a placeholder may be among them.
LENIENT: Mapping[str, Callable[..., Any]] = {
    "chunklist": _chunks,
    "coalescelist": _coalesce_lists,
    "concat": lambda *lists: [item for one in lists for item in _list(one)],
    "element": _element,
    "flatten": _flatten,
    "keys": lambda content: sorted(_map(content)),
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "one": _one,
    "reverse": lambda items: list(reversed(_list(items))),
    "slice": _slice,
    "tolist": _as_list,
    "tomap": _as_map,
    "values": lambda content: [_map(content)[key] for key in sorted(content)],
    "zipmap": _zipmap,
    "list": lambda *items: list(items),
    "map": lambda *pairs: dict(zip(map(to_text, pairs[::2]), pairs[1::2], strict=True)),
    "nonsensitive": lambda value: value,
    "sensitive": lambda value: value,
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda number: abs(to_number(number)),
    "alltrue": lambda items: all(map(to_truth, _list(items))),
    "anytrue": lambda items: any(map(to_truth, _list(items))),
    "base64decode": _base64decode,
    "base64encode": lambda text: base64.b64encode(to_text(text).encode()).decode(),
    "base64sha256": lambda text: base64.b64encode(hashlib.sha256(to_text(text).encode()).digest()).decode(),
    "basename": lambda path: posixpath.basename(to_text(path).rstrip("/")),
    "chomp": lambda text: to_text(text).rstrip("\r\n"),
    "coalesce": _coalesce,
    "compact": lambda items: [one for one in _list(items) if one not in (None, "")],
    "contains": _contains,
    "dirname": lambda path: posixpath.dirname(to_text(path)) or ".",
    "distinct": _distinct,
    "endswith": lambda text, end: to_text(text).endswith(to_text(end)),
    "format": _format,
    "formatlist": _format_list,
    "indent": _indent,
    "index": _index,
    "join": lambda mark, *lists: to_text(mark).join(to_text(item) for one in lists for item in _list(one)),
    "jsondecode": _jsondecode,
    "jsonencode": jsonencode,
    "log": _log,
    "lower": lambda text: to_text(text).lower(),
    "matchkeys": _matchkeys,
    "max": lambda *many: _number_of(many, max),
    "md5": _hashed("md5"),
    "min": lambda *many: _number_of(many, min),
    "parseint": _parse_int,
    "pow": lambda base, power: to_number(str(Decimal(repr(to_number(base))) ** int(to_number(power)))),
    "range": _range,
    "regex": _regex,
    "regexall": _regexall,
    "replace": _replace,
    "setintersection": lambda *sets: SetOf(one for one in _list(sets[0]) if all(one in _list(other) for other in sets)),
    "setproduct": _product,
    "setsubtract": lambda items, other: SetOf(one for one in _list(items) if one not in _list(other)),
    "setunion": lambda *sets: SetOf(one for each in sets for one in _list(each)),
    "sha1": _hashed("sha1"),
    "sha256": _hashed("sha256"),
    "sha512": _hashed("sha512"),
    "signum": lambda number: (to_number(number) > 0) - (to_number(number) < 0),
    "sort": _sorted,
    "split": _split,
    "startswith": lambda text, begin: to_text(text).startswith(to_text(begin)),
    "strcontains": lambda text, inner: to_text(inner) in to_text(text),
    "strrev": lambda text: to_text(text)[::-1],
    "substr": _substr,
    "sum": _sum,
    "title": _title,
    "tobool": to_truth,
    "tonumber": to_number,
    "toset": lambda items: SetOf(_unified(_list(items))),
    "tostring": to_text,
    "transpose": _transpose,
    "trim": lambda text, marks: to_text(text).strip(to_text(marks)),
    "trimprefix": lambda text, begin: to_text(text).removeprefix(to_text(begin)),
    "trimspace": lambda text: to_text(text).strip(),
    "trimsuffix": lambda text, end: to_text(text).removesuffix(to_text(end)),
    "upper": lambda text: to_text(text).upper(),
    "urlencode": lambda text: quote_plus(to_text(text), safe="-_.~"),
}


def _unified(items: list[Any]) -> list[Any]:
    """Returns the elements in one type, as those of a set have it."""
    if any(isinstance(one, str) for one in items) and any(is_number(one) or isinstance(one, bool) for one in items):
        return [one if one is None else to_text(one) for one in items]
    return items
