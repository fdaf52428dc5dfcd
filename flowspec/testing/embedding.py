"""Answers the calls of all boto3 EMR clients of this process with an embedded EMR, while a `with` block lasts.

botocore emits an event before it signs a request and one before it opens a connection, and sends nothing when a
handler answers the latter. Handlers belong to a client, and clients may exist already, so the class of the events'
emitters is changed. So it does not matter when, where and by which session a client was made, and no handler of
another library (moto's run last) can answer a call to EMR.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import ENDPOINT_URL, answer
from flowspec.emulator.state import paths
from flowspec.emulator.temporary import temporary_home

_SIGNING, _SENDING, _MAKING = "choose-signer.emr.", "before-send.emr.", "request-created.emr."
# Carries the client's region from the making of a request to its sending: an unsigned one does not name it.
_REGION = "X-Flowspec-Region"
_DEFAULT_REGION = "us-east-1"
# As in moto: a client of any service needs these, and a search for credentials would use the network.
_STAND_INS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": _DEFAULT_REGION,
}


@dataclass(frozen=True)
class Embedded:
    """An embedded EMR: the folder of its state, the folder whose subfolders are the buckets of s3://.

    With an S3 endpoint of one's own (`emr(s3_url=...)`), objects are there and not in `s3`.
    """

    home: Path
    s3: Path
    _make: Callable[[str], Service] = field(repr=False, compare=False)

    def service(self, region: str = _DEFAULT_REGION) -> Service:
        """Returns the service of a region; all regions share the state."""
        return self._make(region)

    def logs(self, cluster_id: str, step_id: str) -> Path:
        """Returns the folder of a step's logs: controller, syslog, stdout and stderr, as plain text."""
        return paths.step_logs(self.home, cluster_id, step_id)


# The active blocks, the innermost last; the threads of the process share them.
_entered: list[Embedded] = []
# The names of the variables that they have set in the environment.
_put: set[str] = set()
_changing = Lock()


@contextmanager
def emr(
    *,
    instant: bool = False,
    run_bootstrap: bool = False,
    time_scale: float = 1.0,
    inject: str = "",
    s3_url: str | None = None,
) -> Iterator[Embedded]:
    """Gives every boto3 EMR client of this process an embedded EMR with nothing in it, in a home of its own.

    Nothing is sent, whatever the client's region, endpoint and credentials are; other services are not touched.
    Within an inner block, the inner one answers. At exit, clients are as before, clusters are ended with all their
    processes, and the home is removed.

    With `instant`, clusters are WAITING at once and steps COMPLETED without being run. `run_bootstrap` runs
    bootstrap actions, on this machine. EMR's delays are divided by `time_scale`. `inject` makes calls fail
    ("throttle=0.3", see `flowspec emulator --help`). `s3_url` is an S3 endpoint for s3://, such as moto's server; else
    s3:// is the folder `Embedded.s3`. Raises FlowspecError for a bad value.

    Credentials and a region are put into the environment where it has none, as boto3 needs them.
    """
    options: Mapping[str, Any] = {
        "instant": instant,
        "run_bootstrap": run_bootstrap,
        "time_scale": time_scale,
        "inject": inject,
        "s3_url": s3_url,
    }
    with temporary_home() as home:
        paths.prepare(home)
        embedded = Embedded(home, paths.s3_root(home), lambda region: Service(home, region=region, **options))
        embedded.service()  # raises for a bad option before anything is changed
        with _serve_clients(embedded):
            yield embedded


def _put_stand_ins() -> None:
    has_credentials = any(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"))
    missing = [
        name for name in _STAND_INS if name not in os.environ and (name == "AWS_DEFAULT_REGION" or not has_credentials)
    ]
    os.environ.update({name: _STAND_INS[name] for name in missing})
    _put.update(missing)


def _remove_stand_ins() -> None:
    for name in _put:
        os.environ.pop(name, None)
    _put.clear()


@contextmanager
def _serve_clients(embedded: Embedded) -> Iterator[None]:
    with _changing:
        if not _entered:
            _emitters.install()
        _put_stand_ins()
        _entered.append(embedded)
    try:
        yield
    finally:
        with _changing:
            _entered.remove(embedded)
            # With the last block: they may end in another order than that of their begins.
            if not _entered:
                _emitters.restore()
                _remove_stand_ins()


class _Emitters:
    """The class of botocore's event emitters, with two methods replaced while a block is entered."""

    def __init__(self) -> None:
        self._originals: dict[str, Any] = {}

    def install(self) -> None:
        from botocore.hooks import HierarchicalEmitter

        self._originals = {name: vars(HierarchicalEmitter)[name] for name in ("emit", "emit_until_response")}
        for name in self._originals:
            setattr(HierarchicalEmitter, name, self._replacement(name))

    def restore(self) -> None:
        from botocore.hooks import HierarchicalEmitter

        for name, original in self._originals.items():
            setattr(HierarchicalEmitter, name, original)

    def _replacement(self, name: str) -> Callable[..., Any]:
        original = self._originals[name]

        def emit(emitter: Any, event_name: str, **given: Any) -> Any:
            if ".emr." in event_name:
                answered = _answer_event(event_name, given)
                if answered is not None:
                    return [(emit, answered)] if name == "emit" else (emit, answered)
            return original(emitter, event_name, **given)

        return emit


_emitters = _Emitters()


def _answer_event(event: str, given: Mapping[str, Any]) -> Any:
    """Returns what botocore is to take as the answer to an event; None for what its own handlers do."""
    if event.startswith(_SIGNING):
        from botocore import UNSIGNED

        return UNSIGNED
    if event.startswith(_MAKING):
        given["request"].headers[_REGION] = given["request"].context.get("client_region") or _DEFAULT_REGION
        return None
    # flowspec's own clients of an embedded EMR (`backend: local`) have theirs.
    if event.startswith(_SENDING) and _entered and not given["request"].url.startswith(ENDPOINT_URL):
        request = given["request"]
        return answer(_entered[-1].service(request.headers[_REGION].decode()), request)
    return None
