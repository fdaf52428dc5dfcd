"""S3 URIs, lists of paths with commas, and names of shipped files: one reading of each for the whole project.

Hadoop and EMR accept three schemes for the same objects: s3, s3n and s3a.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

S3_SCHEMES = ("s3", "s3n", "s3a")

BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""The names that S3 gives to buckets (S3 User Guide, general purpose bucket naming rules)."""

_S3 = re.compile(r"s3[an]?://")
_NESTED = re.compile(r"s3[an]?://[^\s,;:'\"]*/s3[an]?://\S*")
_ALMOST_S3 = re.compile(r"(s3[an]?)(?::/{1,3}|//)(?=[^/])", re.IGNORECASE)
_LOG_URI = re.compile(r"s3[an]?://[^/]|/|file:/")


def is_s3(text: str) -> bool:
    """Returns True if a text is an S3 URI (s3://, s3n:// or s3a://)."""
    return _S3.match(text) is not None


def is_s3_folder(text: str) -> bool:
    """Returns True if files can be staged below a text: it is s3:// with a bucket."""
    return text.startswith("s3://") and bool(text.removeprefix("s3://").strip("/"))


def split_s3(uri: str) -> tuple[str, str]:
    """Returns the bucket and the key of an S3 URI: ("b", "a/b") of "s3://b/a/b".

    Raises ValueError for another URI.
    """
    found = _S3.match(uri)
    if found is None:
        raise ValueError(f"{uri!r} is not an S3 URI")
    bucket, _, key = uri[found.end() :].partition("/")
    return bucket, key


def region_of_arn(arn: str) -> str:
    """Returns the region in an ARN: "us-east-1" of "arn:aws:sns:us-east-1:123456789012:alerts"; "" for none."""
    return (arn.split(":") + [""] * 4)[3]


def host_of(url: str) -> str:
    """Returns the host of a URL; "" when it has none, as `http://:80/` and `http://[a`."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def nested_s3(text: str) -> str:
    """Returns the first S3 URI in a text whose key contains another S3 URI (`s3://b/s3://b/x`); "" if there is none."""
    found = _NESTED.search(text) if "s3" in text else None
    return found[0] if found else ""


def corrected_s3(text: str) -> str:
    """Returns the S3 URI that a text with a mistyped scheme means (`s3:/b/x`, `s3//b/x`, `S3://b/x`); "" for none."""
    found = _ALMOST_S3.match(text)
    meant = f"{found[1].lower()}://{text[found.end() :]}" if found else text
    return "" if meant == text else meant


def is_log_uri(text: str) -> bool:
    """Returns True if logs can be archived to this URI: in S3 or, by the embedded EMR, below an absolute path."""
    return _LOG_URI.match(text) is not None


def split_at_commas(text: str) -> list[str]:
    """Returns the parts of a comma-separated list; commas within braces don't separate, as in `a,b{1,2}`.

    Hadoop reads lists of input paths so (FileInputFormat.getPathStrings), since braces are globs.
    """
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= depth > 0
        elif character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def link_name(text: str) -> str:
    """Returns the name under which tasks find a file that a job ships: `name` of `path#name`, else that of the file.

    Source: org.apache.hadoop.filecache.DistributedCache (symlinks).
    """
    path, _, name = text.partition("#")
    return name or PurePosixPath(path).name
