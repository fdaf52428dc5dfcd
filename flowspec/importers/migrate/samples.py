"""Makes up answers of services other than EMR: of the shape that the service's model has, filled with samples."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

# Shapes may contain themselves; below this an answer has single values only.
_DEEPEST = 6
# What would make a script ask for a further page.
_PAGES = re.compile(r"token|marker|nextpage|istruncated|hasmore", re.IGNORECASE)
ACCOUNT = "123456789012"
_TEXTS = {
    "Account": ACCOUNT,
    "AvailabilityZone": "us-east-1a",
    "GroupId": "sg-0123456789abcdef0",
    "ImageId": "ami-0123456789abcdef0",
    "InstanceId": "i-0123456789abcdef0",
    "RegionName": "us-east-1",
    "SubnetId": "subnet-0123456789abcdef0",
    "VpcId": "vpc-0123456789abcdef0",
}


def answer(shape: Any, service: str) -> Any:
    """Returns an answer of botocore's output shape; what S3 holds is nothing."""
    made = {} if shape is None else _value(shape, "", service, 0)
    metadata = {"HTTPStatusCode": 200, "RequestId": "flowspec-migrate", "HTTPHeaders": {}, "RetryAttempts": 0}
    return {**made, "ResponseMetadata": metadata}


def _value(shape: Any, name: str, service: str, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return {
            member: _value(inner, member, service, depth + 1)
            for member, inner in shape.members.items()
            if not _PAGES.search(member) and (depth < _DEEPEST or inner.type_name not in ("structure", "list", "map"))
        }
    if kind == "list":
        return [] if service == "s3" or depth >= _DEEPEST else [_value(shape.member, name.rstrip("s"), service, depth)]
    if kind == "string":
        return _TEXTS.get(name) or (shape.enum[0] if shape.enum else f"sample-{name or 'text'}")
    if kind == "blob":
        return _body() if shape.serialization.get("streaming") else b""
    values = {"map": {}, "boolean": False, "timestamp": datetime.now(timezone.utc), "double": 1.0, "float": 1.0}
    return values.get(kind, 1)


def with_content(made: Any, operation: str, params: dict[str, Any], answers: Mapping[str, str]) -> Any:
    """Returns an answer with what the user says that an S3 object, a secret or a parameter holds.

    `answers` are texts by s3://BUCKET/KEY, or by the name of a secret or a parameter.
    """
    if operation == "GetObject" and (content := answers.get(f"s3://{params.get('Bucket')}/{params.get('Key')}")):
        return {**made, "Body": _body(content.encode()), "ContentLength": len(content.encode())}
    if operation == "GetSecretValue" and params.get("SecretId") in answers:
        return {**made, "SecretString": answers[params["SecretId"]]}
    if operation == "GetParameter" and params.get("Name") in answers:
        return {**made, "Parameter": {"Name": params["Name"], "Type": "String", "Value": answers[params["Name"]]}}
    if operation in ("GetParameters", "GetParametersByPath"):
        names = params.get("Names") or [name for name in answers if name.startswith(str(params.get("Path")))]
        known = [{"Name": name, "Type": "String", "Value": answers[name]} for name in names if name in answers]
        return {**made, "Parameters": known} if known else made
    return made


def _body(content: bytes = b"") -> Any:
    from botocore.response import StreamingBody

    return StreamingBody(io.BytesIO(content), len(content))


def uploaded_file(params: dict[str, Any]) -> str | None:
    """Returns the local file whose content a call of S3 sends, if it is one."""
    body = params.get("Body")
    for _ in range(3):
        name = getattr(body, "name", None)
        if isinstance(name, str):
            return name
        body = getattr(body, "_fileobj", None)
    return None
