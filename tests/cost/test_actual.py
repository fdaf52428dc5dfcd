"""What finished and living instances cost, from the timelines of ListInstances."""

from datetime import date, datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.spending import spent
from flowspec.cost.actual import actual_cost
from flowspec.report.costs import actual_document, actual_line
from tests.plan.conftest import emr  # noqa: F401 - a fixture

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def instance(lived, type_="m5.xlarge", *, ready=True, **more):
    timeline = {"CreationDateTime": T0, "ReadyDateTime": T0 + HOUR / 60, "EndDateTime": lived and T0 + lived}
    kept = {name: value for name, value in timeline.items() if value and (ready or name != "ReadyDateTime")}
    return {"InstanceType": type_, "Status": {"Timeline": kept}, "InstanceGroupId": "ig-1", **more}


def of(*instances, volumes=None):
    return actual_cost(instances, "us-east-1", T0 + 4 * HOUR, volumes)


def test_an_instance_costs_its_life():
    cost = of(instance(2 * HOUR), instance(HOUR / 2))
    assert (cost.amount.low, cost.amount.high) == pytest.approx((2.5 * 0.24,) * 2)
    assert (cost.hours, cost.instances) == (2.5, 2)


def test_one_that_lives_costs_until_now_and_each_a_minute_at_least():
    assert of(instance(None)).hours == 4
    assert of(instance(timedelta(seconds=5))).hours == pytest.approx(1 / 60)


def test_what_one_more_hour_costs_is_of_those_that_live():
    cost = of(instance(2 * HOUR), instance(None), instance(None, "r5.xlarge"))
    assert cost.hourly.low == pytest.approx(0.24 + 0.315)
    assert of(instance(HOUR)).hourly.high == 0
    assert of(instance(None, "x9.mega")).hourly is None


@pytest.mark.parametrize(
    ("number", "days", "unknown"),
    [
        (1, 29, ()),
        (1, 31, ("instances that ended more than 30 days ago",)),
        (2000, 29, ("instances beyond the 2,000 that EMR lists",)),
    ],
)
def test_what_emr_does_not_list_any_more_is_named(number, days, unknown):
    assert actual_cost([instance(None)] * number, "us-east-1", T0 + timedelta(days=days), None).unknown == unknown


def test_one_that_never_was_there_costs_nothing():
    never = {"InstanceType": "m5.xlarge", "Status": {"Timeline": {}}}
    cost = of(instance(2 * HOUR, ready=False), never)
    assert (cost.amount, cost.instances) == (None, 0)
    assert actual_line(cost) == "cost of 0 instances, 0.00 instance hours: not known: EMR lists none"


def test_spot_is_a_range_and_volumes_count_by_group():
    cost = of(instance(HOUR, Market="SPOT"), volumes={"ig-1": [{"VolumeType": "gp2", "SizeInGB": 730}]})
    assert (cost.amount.low, cost.amount.high) == pytest.approx((0.0192 + 0.048 + 0.1, 0.192 + 0.048 + 0.1))


def test_an_unknown_type_is_named_and_not_free():
    cost = of(instance(HOUR), instance(HOUR, "x9.mega"))
    assert actual_line(cost, date(2025, 12, 1)) == (
        "cost: at least 0.24 USD for 2 instances, 2.00 instance hours, by prices of 2025-01-31; "
        "not in it: the price of x9.mega, not among the instance types known; "
        "`flowspec prices update --region us-east-1` reads prices from AWS"
    )
    assert "by prices of 2025-01-31, which are more than a year old; not in it" in actual_line(cost, date(2026, 3, 1))
    assert actual_document(cost)["amount"] == {"low": 0.24, "high": 0.24}


def test_the_instances_of_a_cluster_of_the_embedded_emr(emr):  # noqa: F811
    cluster = emr.call(
        "RunJobFlow",
        Name="priced",
        ReleaseLabel="emr-7.5.0",
        ServiceRole="EMR_DefaultRole",
        JobFlowRole="EMR_EC2_DefaultRole",
        Instances={"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]
    later = datetime.now(timezone.utc) + HOUR
    cost = spent(emr, cluster, later)
    assert cost.instances == 1
    assert cost.amount.low >= 0.24
