"""The estimate of a request: groups, fleets, scaling, spot, volumes, and what is not known."""

import json
from datetime import date
from pathlib import Path

import pytest

from flowspec.cost.estimate import estimate
from flowspec.facts.instance_types import known_types
from flowspec.facts.prices import SPOT_SHARE, instance_prices, priced_regions, volume_price
from flowspec.report.costs import cost_change, cost_lines

REGION = "us-east-1"
# 15 GB of root volume and the 64 GB that EMR adds to an xlarge without disks, gp2.
XLARGE_STORAGE = 79 * 0.10 / 730
M5 = 0.192 + 0.048 + XLARGE_STORAGE
REQUESTS = sorted((Path(__file__).parents[3] / "shared/corpus/requests").glob("**/*.json"))


def of(region=REGION, **instances):
    policy = {"ManagedScalingPolicy": instances.pop("scaling")} if "scaling" in instances else {}
    return estimate({"Instances": instances, **policy}, region)


def group(role, count=1, type_="m5.xlarge", **more):
    return {"InstanceRole": role, "InstanceType": type_, "InstanceCount": count, **more}


def fleet(role, types, **targets):
    configs = [{"InstanceType": name, **more} for name, more in types.items()]
    return {"InstanceFleetType": role, "InstanceTypeConfigs": configs, **targets}


def hourly(cost):
    return cost.hourly.low, cost.hourly.high


def test_groups_cost_their_count():
    cost = of(InstanceGroups=[group("MASTER"), group("CORE", 4)])
    assert hourly(cost) == pytest.approx((5 * M5, 5 * M5))
    assert [(one.name, one.size) for one in cost.parts] == [
        ("instance group MASTER", "1 x m5.xlarge"),
        ("instance group CORE", "4 x m5.xlarge"),
    ]


def test_the_short_form_costs_what_its_groups_cost():
    short = of(MasterInstanceType="m5.xlarge", SlaveInstanceType="r5.xlarge", InstanceCount=3)
    assert short == of(InstanceGroups=[group("MASTER"), group("CORE", 2, "r5.xlarge")])


def test_a_spot_group_costs_from_the_least_share_to_the_on_demand_price_and_emr_does_not_get_cheaper():
    cost = of(InstanceGroups=[group("TASK", 10, Market="SPOT")])
    fixed = 0.048 + XLARGE_STORAGE
    assert hourly(cost) == pytest.approx((10 * (0.192 * SPOT_SHARE + fixed), 10 * (0.192 + fixed)))


@pytest.mark.parametrize(
    ("bid", "most"),
    [
        ({"BidPrice": "0.10"}, 0.10),
        ({"BidPrice": "5"}, 0.192),
        ({"BidPrice": "0.01"}, 0.01),
        ({"BidPriceAsPercentageOfOnDemandPrice": 50.0}, 0.096),
    ],
)
def test_a_bid_bounds_what_a_spot_instance_costs(bid, most):
    target = fleet("TASK", {"m5.xlarge": bid}, TargetSpotCapacity=1)
    cost = of(InstanceFleets=[target])
    fixed = 0.048 + XLARGE_STORAGE
    assert hourly(cost) == pytest.approx((min(0.0192, most) + fixed, most + fixed))


def test_a_group_that_scales_costs_from_its_least_to_its_most():
    policy = {"Constraints": {"MinCapacity": 2, "MaxCapacity": 8}, "Rules": []}
    assert hourly(of(InstanceGroups=[group("CORE", 3, AutoScalingPolicy=policy)])) == pytest.approx((2 * M5, 8 * M5))


@pytest.mark.parametrize(
    ("unit", "least", "most"),
    [("Instances", 2 * M5, 10 * M5), ("VCPU", 1 * M5, 3 * M5)],  # 2 and 10 virtual CPUs, 4 to an instance
)
def test_managed_scaling_bounds_core_and_task_together_but_not_the_master(unit, least, most):
    limits = {"UnitType": unit, "MinimumCapacityUnits": 2, "MaximumCapacityUnits": 10}
    groups = [group("MASTER"), group("CORE", 5), group("TASK", 5)]
    cost = of(InstanceGroups=groups, scaling={"ComputeLimits": limits})
    assert hourly(cost) == pytest.approx((M5 + least, M5 + most))


def test_a_fleet_costs_its_cheapest_to_its_dearest_allocation():
    types = {"m5.xlarge": {"WeightedCapacity": 4}, "r5.2xlarge": {"WeightedCapacity": 8}}
    cost = of(InstanceFleets=[fleet("CORE", types, TargetOnDemandCapacity=16)])
    r5 = 0.504 + 0.126 + (15 + 128) * 0.10 / 730
    # 16 units are four of the one or two of the other.
    assert hourly(cost) == pytest.approx(sorted((4 * M5, 2 * r5)))


def test_managed_scaling_of_fleets_may_buy_on_the_spot_market_what_has_no_target_there():
    limits = {"UnitType": "InstanceFleetUnits", "MinimumCapacityUnits": 4, "MaximumCapacityUnits": 8}
    core = fleet("CORE", {"m5.xlarge": {"WeightedCapacity": 4}}, TargetOnDemandCapacity=4)
    cost = of(InstanceFleets=[core], scaling={"ComputeLimits": limits})
    assert hourly(cost) == pytest.approx((M5 - 0.192 * (1 - SPOT_SHARE), 2 * M5))


def test_volumes_that_are_asked_for_replace_those_that_emr_adds():
    volume = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 500, "Iops": 4000, "Throughput": 225}}
    devices = {"EbsConfiguration": {"EbsBlockDeviceConfigs": [{**volume, "VolumesPerInstance": 2}]}}
    cost = of(InstanceGroups=[group("CORE", **devices)])
    monthly = 2 * (500 * 0.08 + 1000 * 0.005 + 100 * 0.04) + 15 * 0.10
    assert hourly(cost) == pytest.approx((0.24 + monthly / 730,) * 2)


def test_a_type_with_disks_of_its_own_gets_no_volumes_but_the_root():
    cost = estimate(
        {"Instances": {"InstanceGroups": [group("CORE", 1, "i3.xlarge")]}, "EbsRootVolumeSize": 100}, REGION
    )
    assert cost.hourly.low == pytest.approx(0.312 + 0.078 + 100 * 0.10 / 730)


def test_a_type_that_is_not_in_the_table_is_unknown_and_not_free():
    cost = of(InstanceGroups=[group("MASTER"), group("CORE", 4, "x9.mega")])
    assert cost.unknown == ("the price of x9.mega (instance group CORE)",)
    assert hourly(cost) == pytest.approx((M5, M5))
    assert next(line.partition(" USD")[0] for line in cost_lines(cost)) == "Cost: at least 0.25"
    assert list(cost_lines(of(InstanceGroups=[group("MASTER", 1, "x9.mega")]))) == [
        "Cost: not known: the price of x9.mega (instance group MASTER)"
    ]


def test_an_unknown_type_of_volume_is_named():
    volume = {"VolumeSpecification": {"VolumeType": "io9", "SizeInGB": 500}}
    cost = of(InstanceGroups=[group("CORE", EbsConfiguration={"EbsBlockDeviceConfigs": [volume]})])
    assert cost.unknown == ("the price of io9 volumes (instance group CORE)",)


@pytest.mark.parametrize(
    ("region", "named"), [("mars-1", "prices of region mars-1"), (None, "the region, and so its prices")]
)
def test_an_unknown_region_is_named(region, named):
    cost = of(region, InstanceGroups=[group("MASTER")])
    assert (cost.hourly, cost.unknown) == (None, (named,))


def test_a_table_older_than_a_year_is_said():
    cost = of(InstanceGroups=[group("MASTER")])
    assert "old" not in "".join(cost_lines(cost, date(2025, 6, 1)))
    assert "more than a year old" in "".join(cost_lines(cost, date(2027, 1, 1)))


def test_what_a_change_costs():
    one, two = of(InstanceGroups=[group("MASTER")]), of(InstanceGroups=[group("CORE", 2)])
    assert cost_change(one, two) == "0.25 → 0.50 USD an hour"
    assert cost_change(one, one) == ""
    assert cost_change(None, two) == "0.00 → 0.50 USD an hour"
    assert cost_change(of("mars-1", InstanceGroups=[group("CORE")]), two) == "not known → 0.50 USD an hour"


def test_the_table_is_whole():
    prices = instance_prices(REGION)
    assert priced_regions() == (REGION,)
    assert len(prices) >= 100
    assert [name for name, one in prices.items() if not 0 < one.emr <= 0.27 or one.ec2 <= one.emr] == []
    assert [name for name in prices if name not in known_types()] == []
    assert all(date.fromisoformat(one.date) for one in prices.values())
    assert volume_price(REGION, "gp2", 730).hourly == pytest.approx(0.10)


def test_emr_charges_a_quarter_of_ec2_or_its_limit():
    odd = {
        name.partition(".")[0]
        for name, one in instance_prices(REGION).items()
        if one.emr != 0.27 and one.emr != pytest.approx(one.ec2 / 4, abs=0.0006)
    }
    # These were set before the rule (EMR pricing page).
    assert odd == {"m3", "m4", "r3", "c4", "c1"} & odd
    assert "m5" not in odd


@pytest.mark.skipif(not REQUESTS, reason="the corpus of public requests is not here")
def test_requests_of_the_corpus_have_a_price_where_emr_offers_their_types():
    offered = known_types()
    unknown = set()
    for path in REQUESTS:
        params = json.loads(path.read_text())
        if isinstance(params.get("Instances"), dict):
            unknown |= {one.removeprefix("the price of ").split(" ")[0] for one in estimate(params, REGION).unknown}
    assert [name for name in unknown if name in offered] == []
