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
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

from flowspec.document.rendering.patterns import PatternWork, compile_pattern
from flowspec.importers.terraform.decoding import decode_csv, decode_json, decode_yaml
from flowspec.importers.terraform.syntax import SyntaxFault
from flowspec.importers.terraform.values import (
    SetOf,
    Unknown,
    equal,
    is_number,
    plain_number,
    to_decimal,
    to_number,
    to_text,
    to_truth,
    to_whole,
    unify_types,
)

FAULTS = (Unknown, SyntaxFault, ArithmeticError, LookupError, TypeError, ValueError, StopIteration, RecursionError)
"""The exceptions that a function raises for arguments that it does not take."""

# What range() refuses to exceed.
_LONGEST_RANGE = 1024
# Spaces of a text that is wider; Terraform itself runs out of memory with enough of them.
_MOST_SPACES = 10_000


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unknown
    return value


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unknown
    return value


# --- collections ---


def _flatten(items: Any) -> list[Any]:
    return [inner for one in _list(items) for inner in (_flatten(one) if isinstance(one, list) else [one])]


def _lookup(content: Any, key: Any, *default: Any) -> Any:
    if to_text(key) in _map(content):
        return content[to_text(key)]
    if not default:
        raise Unknown
    return default[0]


def _range(*limits: Any) -> list[Any]:
    numbers = [to_whole(one) for one in limits]
    begin, end = (0, *numbers) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) > 2 else 1 if end >= begin else -1
    made = range(begin, end, step)
    if (end - begin) * step < 0 or len(made) > _LONGEST_RANGE:
        raise Unknown
    return list(made)


def _slice(items: Any, begin: Any, end: Any) -> list[Any]:
    first, last = int(to_number(begin)), int(to_number(end))
    if not 0 <= first <= last <= len(_list(items)):
        raise Unknown
    return list(items[first:last])


def _distinct(items: Any) -> list[Any]:
    return list({json.dumps(one, sort_keys=True): one for one in unify_types(_list(items))}.values())


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
    return [list(one) for one in itertools.product(*map(unify_types, lists))]


def _one(items: Any) -> Any:
    if len(_list(items)) > 1:
        raise Unknown
    return items[0] if items else None


def _same_type(*lists: Any) -> list[list[Any]]:
    """Returns lists whose elements are of one type, as those of a set are."""
    elements = iter(unify_types([item for one in lists for item in _list(one)]))
    return [list(itertools.islice(elements, len(one))) for one in lists]


def _matchkeys(values: Any, keys: Any, wanted: Any) -> list[Any]:
    searched = _same_type(keys, wanted)
    return [value for value, key in zip(_list(values), searched[0], strict=True) if key in searched[1]]


def _intersection(*sets: Any) -> SetOf:
    first, *others = _same_type(*sets)
    return SetOf(one for one in first if all(one in other for other in others))


def _difference(items: Any, excluded: Any) -> SetOf:
    first, other = _same_type(items, excluded)
    return SetOf(one for one in first if one not in other)


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
    if verb in "dxXo" and not (verb == "o" and "#" in flags):
        return f"%{flags}{verb}" % to_whole(value)
    # Without a precision, Go's %g has as many digits as the number needs.
    if verb in "eEf" or (verb in "gG" and "." in flags):
        return f"%{flags}{verb}" % to_number(value)
    # Go fills texts with zeros, too.
    if "#" in flags or re.match(r"[-+ ]*0", flags):
        raise Unknown
    if verb == "t":
        return to_text(to_truth(value))
    if verb == "q":
        return f"%{flags}s" % jsonencode(to_text(value))
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


def _matches(work: PatternWork, pattern: Any, text: str) -> Iterator[Any]:
    """Yields the matches as Go's library finds them: an empty one is none next to the match before it."""
    end = -1
    for found in compile_pattern(to_text(pattern), work).matches(text):
        if found.start() < found.end() or found.start() != end:
            yield found
        end = found.end()


def _replace(work: PatternWork, text: Any, old: Any, new: Any) -> str:
    subject, wanted, instead = to_text(text), to_text(old), to_text(new)
    if len(wanted) < 2 or wanted[0] != "/" or wanted[-1] != "/":
        return subject.replace(wanted, instead)
    # In Go, $1x is the group called 1x.
    if re.search(r"\$(?![0-9]|\{[0-9]+\})|\$[0-9]+\w", instead):
        raise Unknown
    pieces, end = [], 0
    for found in _matches(work, wanted[1:-1], subject):
        pieces += [subject[end : found.start()], _expand_replacement(instead, found)]
        end = found.end()
    return "".join([*pieces, subject[end:]])


def _expand_replacement(text: str, found: Any) -> str:
    """Returns a replacement with the groups of a match; one that the pattern does not have is empty."""
    groups = (found.group(), *found.groups())
    texts = {str(number): group or "" for number, group in enumerate(groups)}
    return re.sub(r"\$\{?([0-9]+)\}?", lambda name: texts.get(name[1], ""), text)


def _regex(work: PatternWork, pattern: Any, text: Any) -> Any:
    found = next(_matches(work, pattern, to_text(text)), None)
    if not found:
        raise Unknown
    return _groups(found)


def _groups(found: Any) -> Any:
    named = found.groupdict()
    if named and len(named) < len(found.groups()):
        raise Unknown
    return named or list(found.groups()) or found.group()


def _regexall(work: PatternWork, pattern: Any, text: Any) -> list[Any]:
    return [_groups(found) for found in _matches(work, pattern, to_text(text))]


def _substr(text: Any, begin: Any, length: Any) -> str:
    subject, first, count = to_text(text), int(to_number(begin)), int(to_number(length))
    first = first + len(subject) if first < 0 else first
    return subject[first:] if count < 0 else subject[first : first + count]


def _title(text: Any) -> str:
    return re.sub(r"\w+", lambda found: found[0][0].upper() + found[0][1:], to_text(text))


def _change_case(change: Callable[[str], str]) -> Callable[[Any], str]:
    """Returns a function that changes the case as Go does: a letter that would become several stays."""
    return lambda text: "".join(made if len(made := change(one)) == 1 else one for one in to_text(text))


def _base_name(path: Any) -> str:
    text = to_text(path)
    return posixpath.basename(text.rstrip("/")) or text[:1] or "."


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
    if is_number(value):
        return to_text(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _hash_function(name: str) -> Callable[[Any], str]:
    return lambda text: hashlib.new(name, to_text(text).encode(), usedforsecurity=False).hexdigest()


# --- numbers ---


def _parse_int(text: Any, base: Any) -> int:
    # Python's own reading allows spaces, underscores and 0x.
    if not isinstance(text, str) or not re.fullmatch(r"[+-]?[0-9A-Za-z]+", text) or not to_whole(base):
        raise Unknown
    if re.match(r"[+-]?0[box]", text, re.IGNORECASE):
        raise Unknown
    return int(text, to_whole(base))


def _power(base: Any, exponent: Any) -> int | float:
    """Returns a power as Terraform computes it, with floats of 64 bits."""
    return plain_number(to_decimal(math.pow(to_number(base), to_number(exponent))))


def _sum(items: Any) -> Any:
    if not _list(items):
        raise Unknown
    return plain_number(sum(map(to_decimal, items), Decimal(0)))


# Functions that only pass values on, so that a placeholder may be among them.
LENIENT: Mapping[str, Callable[..., Any]] = {
    "chunklist": _chunks,
    "coalescelist": lambda *lists: next(one for one in lists if _list(one)),
    "concat": lambda *lists: [item for one in lists for item in _list(one)],
    "element": lambda items, index: _list(items)[int(to_number(index)) % len(items)],
    "flatten": _flatten,
    "keys": lambda content: sorted(_map(content)),
    "length": _length,
    "lookup": _lookup,
    "merge": lambda *objects: {key: value for one in objects if one is not None for key, value in _map(one).items()},
    "one": _one,
    "reverse": lambda items: list(reversed(_list(items))),
    "slice": _slice,
    "tolist": lambda value: unify_types(list(_list(value))),
    "tomap": lambda value: dict(zip(_map(value), unify_types(list(value.values())), strict=True)),
    "values": lambda content: [_map(content)[key] for key in sorted(content)],
    "zipmap": lambda keys, values: dict(zip(map(to_text, _list(keys)), _list(values), strict=True)),
    "list": lambda *items: list(items),
    "map": lambda *pairs: dict(zip(map(to_text, pairs[::2]), pairs[1::2], strict=True)),
    "nonsensitive": lambda value: value,
    "sensitive": lambda value: value,
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda number: abs(to_number(number)),
    "alltrue": lambda items: all(map(to_truth, _list(items))),
    "anytrue": lambda items: any(map(to_truth, _list(items))),
    "base64decode": lambda text: base64.b64decode(to_text(text), validate=True).decode("utf-8"),
    "base64encode": lambda text: base64.b64encode(to_text(text).encode()).decode(),
    "base64sha256": lambda text: base64.b64encode(hashlib.sha256(to_text(text).encode()).digest()).decode(),
    "basename": _base_name,
    "chomp": lambda text: to_text(text).rstrip("\r\n"),
    "compact": lambda items: [to_text(one) for one in _list(items) if one not in (None, "")],
    "contains": lambda items, wanted: any(equal(one, wanted) for one in _list(items)),
    "csvdecode": decode_csv,
    "dirname": lambda path: re.sub("^/+", "/", posixpath.normpath(posixpath.dirname(to_text(path)))),
    "distinct": _distinct,
    "endswith": lambda text, end: to_text(text).endswith(to_text(end)),
    "format": _format,
    "formatlist": _format_list,
    "indent": _indent,
    "index": lambda items, wanted: [equal(one, wanted) for one in _list(items)].index(True),
    "jsondecode": decode_json,
    "lower": _change_case(str.lower),
    "matchkeys": _matchkeys,
    "max": lambda *many: max(map(to_number, many)),
    "md5": _hash_function("md5"),
    "min": lambda *many: min(map(to_number, many)),
    "parseint": _parse_int,
    "pow": _power,
    "range": _range,
    "setintersection": _intersection,
    "setproduct": _product,
    "setsubtract": _difference,
    "setunion": lambda *sets: SetOf(one for each in _same_type(*sets) for one in each),
    "sha1": _hash_function("sha1"),
    "sha256": _hash_function("sha256"),
    "sha512": _hash_function("sha512"),
    "signum": lambda number: (to_number(number) > 0) - (to_number(number) < 0),
    "sort": lambda items: sorted(map(to_text, _list(items)), key=str.encode),
    "split": _split,
    "startswith": lambda text, begin: to_text(text).startswith(to_text(begin)),
    "strcontains": lambda text, inner: to_text(inner) in to_text(text),
    "strrev": lambda text: to_text(text)[::-1],
    "substr": _substr,
    "sum": _sum,
    "title": _title,
    "tobool": to_truth,
    "tonumber": to_number,
    "toset": lambda items: SetOf(unify_types(_list(items))),
    "tostring": to_text,
    "transpose": _transpose,
    "trim": lambda text, marks: to_text(text).strip(to_text(marks)),
    "trimprefix": lambda text, begin: to_text(text).removeprefix(to_text(begin)),
    "trimspace": lambda text: to_text(text).strip(),
    "trimsuffix": lambda text, end: to_text(text).removesuffix(to_text(end)),
    "upper": _change_case(str.upper),
    "urlencode": lambda text: quote_plus(to_text(text), safe="-_.~"),
    "yamldecode": decode_yaml,
}


# Functions with a regular expression, whose work the first argument counts.
PATTERNS: Mapping[str, Callable[..., Any]] = {"regex": _regex, "regexall": _regexall, "replace": _replace}
