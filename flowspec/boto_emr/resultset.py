"""boto 2's class for lists in answers (`boto.resultset`)."""

from __future__ import annotations

from typing import Any


class ResultSet(list[Any]):
    """A list that fills itself: `marker_elem` pairs the name of an element with the class of what it becomes.

    `marker` is where the next page starts, None on the last; `status` is true for an answer that is no error.
    """

    def __init__(self, marker_elem: list[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.markers = marker_elem or []
        self.marker: str | None = None
        self.status = True

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:  # noqa: ARG002 - boto 2's interface
        """Returns a new item, for an element that is one."""
        for element, make in self.markers:
            if name == element:
                self.append(make(connection))
                return self[-1]
        return None

    def endElement(self, name: str, value: str, connection: Any) -> None:  # noqa: ARG002 - boto 2's interface
        """Keeps the text of an element beside the items under the element's name, as in boto 2."""
        setattr(self, "marker" if name == "Marker" else name, value)
