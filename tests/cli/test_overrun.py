"""The warning of a watched run that may have cost more than its budget."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from flowspec.backend.aws.watch import ClusterChanged
from flowspec.cli.overrun import with_budget_warning
from flowspec.cost.amounts import Range
from flowspec.cost.estimate import CostPart, Estimate

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)
COST = Estimate("us-east-1", (CostPart("instance group MASTER", "1 x m5.xlarge", Range(2.0, 4.0)),))


class Clock:
    """A clock that only sleeping moves on."""

    hours = 0.0

    def sleep(self, seconds):
        self.hours += seconds / 3600

    def now(self):
        return T0 + timedelta(hours=self.hours)


def watched(budget, hours, cost=COST, *, lives_on=False, launches=("j-1",)):
    """Watches clusters one after the other, each for so many hours."""
    clock = Clock()

    def watch(emr, cluster_id, *, steps, timeout, sleep):
        yield ClusterChanged(SimpleNamespace(id=cluster_id, created=clock.now(), keep_alive=lives_on))
        for _ in range(hours):
            sleep(3600)

    flow = SimpleNamespace(fields={"budget": budget} if budget else {})
    warning = with_budget_warning(watch, flow, cost, clock.now)
    for one in launches:
        assert len(list(warning(None, one, steps=None, timeout=None, sleep=clock.sleep))) == 1
    return clock


def test_it_is_said_once_and_after_the_time_that_the_budget_lasts(capsys):
    assert watched({"run": 10}, 2).hours == 2
    assert capsys.readouterr().err == ""
    watched({"run": 10}, 6)
    said = capsys.readouterr().err
    assert said == (
        "note: the run may have passed its budget of 10.00 USD: "
        "cluster j-1 is up for more than 2.5 hours, at up to 4.00 USD an hour\n"
    )


def test_each_launch_is_a_run_of_its_own(capsys):
    watched({"run": 10}, 2, launches=("j-1", "j-2"))
    assert capsys.readouterr().err == ""
    watched({"run": 10}, 3, launches=("j-1", "j-2"))
    assert [line.split()[12] for line in capsys.readouterr().err.splitlines()] == ["j-1", "j-2"]


@pytest.mark.parametrize(
    ("budget", "cost"),
    [(None, COST), ({"hourly": 1}, COST), ({"run": 1}, None), ({"run": 1}, Estimate("eu-west-1"))],
    ids=["no budget", "hourly", "this machine", "no prices"],
)
def test_without_a_budget_or_a_price_none_is_due(capsys, budget, cost):
    watched(budget, 9, cost)
    assert capsys.readouterr().err == ""


def test_a_cluster_that_lives_on_has_other_runs_too(capsys):
    watched({"run": 10}, 9, lives_on=True)
    assert capsys.readouterr().err == ""
