"""Remedies for texts that are not YAML, by the messages of PyYAML's parser (6.0: scanner.py, parser.py)."""

from __future__ import annotations

import re

# (the parser's context and problem, the remedy); the first match is used. {} stands for the first group.
_REMEDIES = (
    (r" after the quote (.)$", "{} is a typographic quote: write straight quotes (\" or ') instead"),
    (r"found character '\\t'", "indent with spaces: YAML allows no tabs there"),
    (r"while parsing a flow node", "write a value here, or close the bracket that a line above opens"),
    (r"found character '(.)'", "put quotes around a text that begins with {}"),
    (r" after a late quote$", "a quote from an earlier line ends here: close it on the line where it begins"),
    (r"mapping values are not allowed.* within a value", 'put quotes around a text that contains ": "'),
    (r"mapping values are not allowed", "keys of one mapping have the same indentation, and a space after the colon"),
    (r"scanning an (?:alias|anchor)", "put quotes around a text that begins with * or &"),
    (r"unknown escape character", "write the backslash twice, or use single quotes"),
    (r"scanning a quoted scalar", "close the quote"),
    (
        r"flow (?:sequence|mapping).*expected ','.* at a template$",
        "put quotes around the text that has a template in it",
    ),
    (r"flow (?:sequence|mapping).*expected ','", "put commas between the items, and close the bracket"),
    (r"could not find expected ':'", "a key has a colon and a space after it: `key: value`"),
    (r"found '<scalar>'", "put quotes around the whole text; within single quotes, ' is written ''"),
    (r"found '([\]}])'", "remove the {}, or open its bracket"),
    (r"sequence entries are not allowed", "begin a list on the line after its key, or write it as [a, b]"),
    (r"expected <block end>", "items of one list, and keys of one mapping, have the same indentation"),
)

# At the beginning of a value. Inside a text, such a quote is not the cause of the error.
_TYPOGRAPHIC = re.compile(r"(?:^|[:,-] |[\[{])\s*([“”„\u2018\u2019])")


def remedy(met: str, before: str, after: str) -> str:
    """Returns the remedy for the parser's problem, between `before` and `after` in its line; "" if there is none."""
    met += " within a value" * (": " in before)
    met += " at a template" * after.startswith("{{")
    if quotes := _TYPOGRAPHIC.findall(before):
        met += f" after the quote {quotes[-1]}"
    met += " after a late quote" * (before[-1:] in {"'", '"'} and before.count(before[-1:]) % 2 == 1)
    # Not compiled in advance, because few runs need them.
    found = ((re.search(pattern, met), text) for pattern, text in _REMEDIES)
    return next((text.format(*match.groups()) for match, text in found if match), "")
