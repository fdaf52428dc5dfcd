"""The warning of a watched run that may have cost more than its budget."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from flowspec.backend.aws.events import ClusterChanged, Ended
from flowspec.cli.commands import wait
from flowspec.cli.locate import Chosen
from flowspec.cli.overrun import cost_by_request, with_budget_warning
from flowspec.cost.amounts import Range
from flowspec.cost.estimate import CostPart, Estimate
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.facts.price_table import own_table_path
from flowspec.plan.cluster import FALLBACK_TAG
from flowspec.plan.runs.launches import alternatives
from flowspec.request.compile import compile

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
    warning = with_budget_warning(watch, flow, lambda _: cost, clock.now)
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


SPEC = """flowspec: v1
name: nightly
backend: emr
region: us-east-1
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
budget: {run: 1}
fallback: [{instance_types: {m5.xlarge: m5.24xlarge}}]
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
"""


@pytest.fixture
def flow(tmp_path):
    (tmp_path / "job.yaml").write_text(SPEC)
    return validate(load(tmp_path / "job.yaml"))


def cluster_of(number, clock):
    tags = {FALLBACK_TAG: number} if number else {}
    return SimpleNamespace(id="j-1", created=clock.now(), keep_alive=False, tags=tags)


def warned_after(flow, number, capsys):
    """Watches a cluster of the request, or of an alternative, until the budget is warned of; returns the hours."""
    clock = Clock()

    def watch(emr, cluster_id, *, steps, timeout, sleep):
        yield ClusterChanged(cluster_of(number, clock))
        while clock.hours < 24 and not (said := capsys.readouterr().err):
            sleep(360)
        assert "note: the run may have passed its budget of 1.00 USD" in said

    request = compile(flow).params
    cost_of = cost_by_request(flow, request, alternatives(flow, request), "us-east-1")
    list(with_budget_warning(watch, flow, cost_of, clock.now)(None, "j-1", sleep=clock.sleep))
    return clock.hours


def test_an_alternative_uses_up_the_budget_at_its_own_price(flow, capsys):
    # An m5.24xlarge costs 24 times as much as an m5.xlarge.
    request, alternative = warned_after(flow, "", capsys), warned_after(flow, "1", capsys)
    assert alternative < 0.3 < 3 < request


def test_a_damaged_table_of_prices_does_not_end_the_watch(flow, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    own_table_path().parent.mkdir()
    own_table_path().write_text("{")
    request = compile(flow).params
    cost_of = cost_by_request(flow, request, alternatives(flow, request), "us-east-1")

    def watch(emr, cluster_id, *, steps, timeout, sleep):
        for _ in range(2):
            yield ClusterChanged(cluster_of("", Clock()))
            sleep(0)

    assert len(list(with_budget_warning(watch, flow, cost_of)(None, "j-1", sleep=lambda _: None))) == 2
    said = capsys.readouterr().err
    assert said.startswith("note: the budget is not watched: the table of prices can't be read")
    assert said.count("note:") == 1


def test_wait_warns_as_apply_does(flow, capsys, monkeypatch):
    def watch(emr, cluster_id, *, steps, timeout, sleep):
        yield ClusterChanged(cluster_of("", Clock()))
        sleep(0)
        yield Ended(None, None)

    def followed(chosen, *, watch, **_):
        return len(list(watch(chosen.emr, chosen.cluster_id, sleep=lambda _: None)))

    emr = SimpleNamespace(region="us-east-1", endpoint=None)
    monkeypatch.setattr(wait, "choose", lambda *_: Chosen(emr, "j-1"))
    # The follower first: to import it with the other watch would keep that for later tests.
    monkeypatch.setattr("flowspec.cli.follow.follow", followed)
    monkeypatch.setattr("flowspec.backend.aws.watch.watch", watch)
    # The cluster has been up since T0, which is long ago.
    assert wait.command.main([str(flow.path)], standalone_mode=False) == 2
    assert "note: the run may have passed its budget of 1.00 USD: cluster j-1" in capsys.readouterr().err
