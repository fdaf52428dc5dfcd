"""An embedded EMR whose clusters are ready at once, and specs for it."""

import json

import pytest

from flowspec import apply, compile, load, make_plan, render, validate
from flowspec.backend.aws.observe import observe
from flowspec.emulator.api.service import Service
from tests.plan import random_specs
from tests.plan.conftest import Recording

GROUPS = [
    {"role": "MASTER", "type": "m5.xlarge", "count": 1},
    {"role": "CORE", "type": "m5.xlarge", "count": 2},
    {"role": "TASK", "name": "spot", "type": "m5.2xlarge", "count": 1, "market": "SPOT", "bid_price": "0.20"},
]
TYPE = random_specs.TYPE
FLEETS = [
    {"type": "MASTER", "target_on_demand_capacity": 1, "instance_type_configs": [TYPE]},
    {"type": "CORE", "target_on_demand_capacity": 2, "instance_type_configs": [TYPE, {**TYPE, "type": "m5.2xlarge"}]},
    {"type": "TASK", "target_spot_capacity": 2, "target_on_demand_capacity": 1, "instance_type_configs": [TYPE]},
]
BASE = {**random_specs.BASE, "instance_groups": GROUPS}


def spec(**fields):
    """A spec with groups, or with the fleets that are given."""
    base = {key: value for key, value in BASE.items() if key != "instance_groups" or "instance_fleets" not in fields}
    return {**base, **fields}


def step(name, *args):
    return {"name": name, "type": "command", "args": list(args or ["true"]), "on_failure": "CONTINUE"}


def no_sleep(_):
    """Instead of waiting for the lock to settle."""


@pytest.fixture
def emr(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    return Recording(Service(tmp_path / "home", instant=True, account_rules=False))


@pytest.fixture
def paused(tmp_path, monkeypatch, no_worker):
    """An embedded EMR without workers: steps stay PENDING."""
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    return Recording(Service(tmp_path / "home", start_worker=no_worker, account_rules=False))


@pytest.fixture
def flow_of(tmp_path):
    """Writes a spec; returns its job flow and its request."""

    def made(spec, name="job.yaml", **variables):
        path = tmp_path / name
        path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
        flow = validate(render(load(path), variables=variables))
        return flow, compile(flow)

    return made


@pytest.fixture
def started(emr, flow_of):
    """Applies a spec; returns the id of its cluster."""

    def start(**fields):
        flow, request = flow_of(spec(**fields))
        return apply(make_plan(flow, request, observe(emr, flow)), emr, sleep=no_sleep).cluster_id

    return start
