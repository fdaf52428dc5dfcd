"""The embedded EMR without workers, reached by the client that an apply uses."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowspec.backend.aws.client import Emr, Endpoint
from flowspec.backend.aws.observe import read_back
from flowspec.document.job_flow import JobFlow
from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import embedded_client
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Store
from flowspec.plan.compare import make_plan
from flowspec.request.compile import Request, digest


class Recording(Emr):
    """A connection that keeps the names of the operations it has called."""

    def __init__(self, service):
        client, session = embedded_client(service)
        super().__init__(Endpoint("local"), client, client, session)
        self.service, self.seen = service, []

    def call(self, operation, **params):
        self.seen.append(operation)
        return super().call(operation, **params)

    def create(self, operation, **params):
        self.seen.append(operation)
        return super().create(operation, **params)

    def put_in_state(self, cluster_id, state):
        """Moves a cluster, which has no worker that would."""
        with Store(self.service.home) as store, store.writing():
            lifecycle.set_state(store, store.get("cluster", cluster_id), state)

    def put_step_in_state(self, step_id, state):
        with Store(self.service.home) as store, store.writing():
            step = store.get("step", step_id)
            step.state = state
            store.save(step)


@pytest.fixture
def emr(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    held = []
    service = Service(
        tmp_path / "home", start_worker=lambda _home, _id, lock: held.append(os.dup(lock)), account_rules=False
    )
    yield Recording(service)
    for lock in held:
        os.close(lock)


def job_flow(name="nightly", target="prod", **fields):
    document = SimpleNamespace(nearest=lambda path: None)
    return JobFlow(
        name, target, "local", "us-east-1", None, None, None, Path("nightly.yaml"), fields, document=document
    )


def planned(params, cluster=None, *, secrets=frozenset(), **options):
    """The plan of a RunJobFlow request, as if a spec had been compiled to it."""
    request = Request(digest(params, (), secrets), (), params, frozenset(secrets))
    return make_plan(job_flow(), request, cluster, **options)


def observed(emr, cluster_id):
    return read_back(emr, cluster_id)
