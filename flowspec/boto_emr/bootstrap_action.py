"""boto 2's class for bootstrap actions."""

from __future__ import annotations

from collections.abc import Iterable


class BootstrapAction:
    """A script that every node runs before Hadoop starts; its arguments are a list, or one string that is one."""

    def __init__(self, name: str, path: str, bootstrap_action_args: str | Iterable[str] | None) -> None:
        self.name = name
        self.path = path
        self.bootstrap_action_args = (
            [bootstrap_action_args] if isinstance(bootstrap_action_args, str) else bootstrap_action_args
        )

    def args(self) -> list[str]:
        """Returns the arguments of the script."""
        return list(self.bootstrap_action_args or ())

    def __repr__(self) -> str:
        return (
            f"{type(self).__module__}.{type(self).__name__}(name={self.name!r}, path={self.path!r}, "
            f"bootstrap_action_args={self.bootstrap_action_args!r})"
        )
