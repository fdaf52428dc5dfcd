"""The warning of a watched run that may have cost more than its budget."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from flowspec.cli.overrun import with_budget_warning
from flowspec.cost.amounts import Range
from flowspec.cost.estimate import CostPart, Estimate
from flowspec.errors import FlowspecError

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)
COST = Estimate("us-east-1", (CostPart("instance group MASTER", "1 x m5.xlarge", Range(2.0, 4.0)),))


class Clock:
    """A clock that only sleeping moves on."""

    hours = 0.0

    def sleep(self, seconds):
        self.hours += seconds / 3600

    def now(self):
        return T0 + timedelta(hours=self.hours)


@pytest.fixture
def lives_on():
    return False


@pytest.fixture
def looks(monkeypatch, lives_on):
    """How often the cluster was looked at; the first look gets no answer."""
    seen = []

    def describe(_, cluster_id, *, steps):
        seen.append(cluster_id)
        if len(seen) == 1:
            raise FlowspecError("no answer")
        return SimpleNamespace(created=T0, keep_alive=lives_on)

    monkeypatch.setattr("flowspec.backend.aws.observe.describe", describe)
    return seen


def watched(budget, hours, cost=COST):
    """Sleeps so many hours, one by one."""
    clock = Clock()
    flow = SimpleNamespace(fields={"budget": budget} if budget else {})
    sleep = with_budget_warning(clock.sleep, None, "j-1", flow, cost, clock.now)
    for _ in range(hours):
        sleep(3600)
    return clock


def test_it_is_said_once_and_after_the_time_that_the_budget_lasts(looks, capsys):
    assert watched({"run": 10}, 2).hours == 2
    assert capsys.readouterr().err == ""
    watched({"run": 10}, 6)
    said = capsys.readouterr().err
    assert said == (
        "note: the run may have passed its budget of 10.00 USD: "
        "cluster j-1 is up for more than 2.5 hours, at up to 4.00 USD an hour\n"
    )


@pytest.mark.parametrize(
    ("budget", "cost"),
    [(None, COST), ({"hourly": 1}, COST), ({"run": 1}, None), ({"run": 1}, Estimate("eu-west-1"))],
    ids=["no budget", "hourly", "this machine", "no prices"],
)
def test_without_a_budget_or_a_price_nothing_is_looked_at(looks, capsys, budget, cost):
    watched(budget, 9, cost)
    assert (looks, capsys.readouterr().err) == ([], "")


@pytest.mark.parametrize("lives_on", [True])
def test_a_cluster_that_lives_on_has_other_runs_too(looks, capsys):
    watched({"run": 10}, 9)
    assert (len(looks), capsys.readouterr().err) == (2, "")
