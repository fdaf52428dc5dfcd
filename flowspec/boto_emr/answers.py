"""Reads EMR's answers into the objects of boto 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flowspec.boto_emr.exception import EmrResponseError
from flowspec.boto_emr.handler import fill, parse


class Answer(NamedTuple):
    """The answer of today's API."""

    members: Mapping[str, Any]

    def tell(self, root: Any, connection: Any) -> None:
        """Passes the answer to an object."""
        metadata = self.members.get("ResponseMetadata", {})
        members = {**self.members, "RequestId": metadata.get("RequestId")}
        fill(root, {name: value for name, value in members.items() if name != "ResponseMetadata"}, connection)


class XmlAnswer(NamedTuple):
    """The answer of the query API."""

    status: int
    reason: str
    body: bytes

    def tell(self, root: Any, connection: Any) -> None:
        """Passes the answer to an object. Raises EmrResponseError where it is none, or an error."""
        if self.status != 200 or not self.body:
            raise EmrResponseError(self.status, self.reason, self.body)
        parse(self.body, root, connection)
