"""Connections of boto 2's kind: to the embedded EMR, with workers and without, and to moto's server."""

import pytest

from flowspec.boto_emr import EmrConnection, InstanceGroup
from flowspec.emulator.api.service import Service
from flowspec.emulator.worker import starting
from tests.emulator.conftest import Emr

RELEASE = {"ReleaseLabel": "emr-7.5.0"}
GROUPS = [
    InstanceGroup(1, "MASTER", "m5.xlarge", "ON_DEMAND", "master"),
    InstanceGroup(2, "CORE", "m5.2xlarge", "SPOT", "core", "0.20"),
]


@pytest.fixture
def embedded(own_home):
    """The embedded EMR, with real workers, which are all ended afterwards."""
    running = Emr(Service(own_home))
    yield running
    running.end_all()


@pytest.fixture
def here(embedded):
    """A connection to the embedded EMR."""
    return EmrConnection(backend="local")


@pytest.fixture
def still(own_home, monkeypatch, no_worker):
    """The embedded EMR, whose clusters stay as they are."""
    monkeypatch.setattr(starting, "start", no_worker)
    return Emr(Service(own_home))


@pytest.fixture
def there(moto):
    """A connection to moto's EMR."""
    return EmrConnection(endpoint_url=moto)


@pytest.fixture(params=["embedded", "moto"])
def connection(request):
    """The one, without workers, and the other: a test that has this holds of both."""
    if request.param == "moto":
        return request.getfixturevalue("there")
    request.getfixturevalue("still")
    return EmrConnection(backend="local")


@pytest.fixture
def sent(still, monkeypatch):
    """The parameters of all calls of RunJobFlow that reach the embedded EMR."""
    requests, call = [], Service.call

    def recorded(service, operation, params):
        if operation == "RunJobFlow":
            requests.append(params)
        return call(service, operation, params)

    monkeypatch.setattr(Service, "call", recorded)
    return requests
