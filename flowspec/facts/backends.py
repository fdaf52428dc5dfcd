"""The backends that a target may name."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

BackendName: TypeAlias = Literal["local", "emr"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
