"""The documents that Terraform's functions decode: JSON, YAML and CSV in a text, often that of a file."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from io import StringIO
from typing import Any

from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Source, plain, scalars
from flowspec.errors import SpecError
from flowspec.importers.terraform.values import Unknown, to_text

# Words without quotes that a spec takes for text, and Terraform's YAML (go-cty-yaml) for a truth, a number or a time.
_READ_OTHERWISE = re.compile(
    r"y|yes|n|no|on|off|[-+]?\.(inf|nan)|[-+]?[0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t ].*)?",
    re.IGNORECASE,
)


def decode_json(text: Any) -> Any:
    """Returns the value of a JSON text."""
    return json.loads(to_text(text), parse_float=lambda digits: float(Decimal(digits)))


def decode_yaml(text: Any) -> Any:
    """Returns the value of a YAML text. Raises `Unknown` for one that Terraform may read in another way than a spec."""
    try:
        root, found = compose(Source("", to_text(text)))
    except SpecError:
        raise Unknown from None
    if root is None or found:
        raise Unknown
    words = (one for one in scalars(root) if one.plain and isinstance(one.value, str))
    if any(_READ_OTHERWISE.fullmatch(one.text) for one in words):
        raise Unknown
    return plain(root)


def decode_csv(text: Any) -> list[dict[str, str]]:
    """Returns the rows of a CSV text, by the names in its first line. Raises `Unknown` or an error for another text."""
    lines = StringIO(to_text(text).replace("\r\n", "\n"))
    names, *rows = filter(None, csv.reader(lines, strict=True))
    if len({*names}) < len(names):
        raise Unknown
    return [dict(zip(names, row, strict=True)) for row in rows]
