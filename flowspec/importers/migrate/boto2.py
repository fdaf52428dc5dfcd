"""Makes boto 2 importable: `boto.emr` is `flowspec.boto_emr`, other modules accept every call and do nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_EMR = "flowspec.boto_emr"
# Where boto 2 had what flowspec.boto_emr keeps together.
_KEPT = {f"boto.{name}": f"{_EMR}.{name}" for name in ("exception", "regioninfo", "resultset")}


def install(uploaded: Callable[[str, str], None]) -> None:
    """Makes boto 2 importable, whether it is installed or not. `uploaded` is called for each file sent to S3."""
    _PermissiveStub.uploaded = staticmethod(uploaded)
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        if name != "boto" and not name.startswith("boto."):
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        real = _flowspec_module(spec.name)
        if real:
            module = importlib.import_module(real)
            alias = ModuleType(spec.name, module.__doc__)
            alias.__dict__.update({key: value for key, value in vars(module).items() if not key.startswith("__")})
            return alias
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Adds connect_emr to `boto`; the rest is there already."""
        if module.__name__ == "boto":
            vars(module)["connect_emr"] = _connect_emr


def _flowspec_module(name: str) -> str | None:
    """Returns the module of flowspec for one of boto's."""
    if name == "boto.emr" or name.startswith("boto.emr."):
        return _EMR + name.removeprefix("boto.emr")
    # Each service of boto 2 had a regioninfo of its own, with the same class.
    return _KEPT["boto.regioninfo"] if name.endswith(".regioninfo") else _KEPT.get(name)


def _connect_emr(*args: Any, **kwargs: Any) -> Any:
    return importlib.import_module(_EMR).EmrConnection(*args, **kwargs)


class _Module(ModuleType):
    """A module of boto 2 that has nothing to do with EMR."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "boto" and _flowspec_module(f"boto.{name}"):
            return importlib.import_module(f"boto.{name}")
        return _PermissiveStub


class _PermissiveStub:
    """Accepts every call and attribute, and returns another object of its kind."""

    uploaded: Callable[[str, str], None]

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *_: Any, **__: Any) -> _PermissiveStub:
        return _PermissiveStub()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("set_contents_from_filename", "set_contents_from_file"):
            return self._upload
        if name == "set_contents_from_string":
            return lambda *_, **__: self._upload("a text")
        return _PermissiveStub()

    def _upload(self, source: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        # `key` is there if the script has set it.
        key = self.__dict__.get("key")
        self.uploaded(str(getattr(source, "name", source)), f"S3 as {key}" if isinstance(key, str) else "S3")

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> _PermissiveStub:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __str__(self) -> str:
        return "sample"
