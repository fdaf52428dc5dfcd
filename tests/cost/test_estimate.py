"""The estimate of a request: groups, fleets, scaling, spot, volumes, and what is not known."""

import json
import re
from datetime import date
from itertools import product
from pathlib import Path

import pytest

import flowspec
from flowspec.cost.estimate import estimate
from flowspec.facts import price_table
from flowspec.facts.instance_types import fact_of, known_types
from flowspec.facts.price_table import Origin, Price, RegionPrices, update_own_table
from flowspec.facts.prices import SPOT_SHARE, instance_prices, priced_regions, volume_price
from flowspec.report.costs import cost_change, cost_lines
from tests.specs import rendered

REGION = "us-east-1"
# 15 GB of root volume and the 64 GB that EMR adds to an xlarge without disks, gp2.
XLARGE_STORAGE = 79 * 0.10 / 730
M5 = 0.192 + 0.048 + XLARGE_STORAGE
REQUESTS = sorted((Path(__file__).parents[3] / "shared/corpus/requests").glob("**/*.json"))


def of(region=REGION, **instances):
    policy = {"ManagedScalingPolicy": instances.pop("scaling")} if "scaling" in instances else {}
    return estimate({"ReleaseLabel": "emr-7.5.0", "Instances": instances, **policy}, region)


def group(role, count=1, type_="m5.xlarge", **more):
    return {"InstanceRole": role, "InstanceType": type_, "InstanceCount": count, **more}


def fleet(role, types, **targets):
    configs = [{"InstanceType": name, **more} for name, more in types.items()]
    return {"InstanceFleetType": role, "InstanceTypeConfigs": configs, **targets}


def volumes(*asked):
    devices = [
        {"VolumeSpecification": {"VolumeType": kind, "SizeInGB": gb}, "VolumesPerInstance": count}
        for kind, gb, count in asked
    ]
    return {"EbsBlockDeviceConfigs": devices}


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


def test_a_mix_of_types_may_be_cheaper_than_each_of_them():
    types = {"m5.xlarge": {"WeightedCapacity": 4}, "r5.xlarge": {"WeightedCapacity": 5}}
    cost = of(InstanceFleets=[fleet("CORE", types, TargetOnDemandCapacity=9)])
    r5 = 0.252 + 0.063 + XLARGE_STORAGE
    # 9 units: one of each; of one type there are three (12 units) or two (10). r5, r5 leaves no need of an m5.
    assert hourly(cost) == pytest.approx((M5 + r5, max(3 * M5, 2 * r5)))


def test_all_minimal_mixes_of_a_small_fleet_are_within_the_range():
    weights, prices = (3, 4, 7), ("m5.xlarge", "r5.xlarge", "m5.2xlarge")
    each = [of(InstanceGroups=[group("CORE", 1, name)]).hourly.high for name in prices]
    for target in (1, 5, 9, 14, 23):
        mixes = [mix for mix in product(range(9), repeat=3) if is_minimal(mix, weights, target)]
        costs = [sum(count * price for count, price in zip(mix, each, strict=True)) for mix in mixes]
        types = {name: {"WeightedCapacity": weight} for name, weight in zip(prices, weights, strict=True)}
        cost = of(InstanceFleets=[fleet("CORE", types, TargetOnDemandCapacity=target)])
        assert hourly(cost) == pytest.approx((min(costs), max(costs))), target


def is_minimal(mix, weights, target):
    units = sum(count * weight for count, weight in zip(mix, weights, strict=True))
    smallest = min((weight for count, weight in zip(mix, weights, strict=True) if count), default=0)
    return units >= target > units - smallest


def test_a_fleet_of_many_units_is_estimated_in_time_and_not_below_its_cheapest_type():
    types = {"m5.xlarge": {"WeightedCapacity": 4}, "r5.2xlarge": {"WeightedCapacity": 8}}
    low, high = hourly(of(InstanceFleets=[fleet("CORE", types, TargetOnDemandCapacity=10**9)]))
    assert low == pytest.approx(10**9 / 4 * M5)
    assert high == pytest.approx(10**9 / 8 * (0.63 + 143 * 0.10 / 730))


def test_a_fleet_on_both_markets_costs_both():
    cost = of(InstanceFleets=[fleet("TASK", {"m5.xlarge": {}}, TargetOnDemandCapacity=2, TargetSpotCapacity=3)])
    fixed = 0.048 + XLARGE_STORAGE
    assert hourly(cost) == pytest.approx((2 * M5 + 3 * (0.0192 + fixed), 5 * M5))
    assert [one.name for one in cost.parts] == ["instance fleet TASK, on-demand", "instance fleet TASK, spot"]


def test_a_spot_fleet_that_may_switch_to_on_demand_costs_that_price_at_most():
    timeout = {"TimeoutDurationMinutes": 10, "TimeoutAction": "SWITCH_TO_ON_DEMAND"}
    bidding = fleet("TASK", {"m5.xlarge": {"BidPrice": "0.05"}}, TargetSpotCapacity=1)
    fixed = 0.048 + XLARGE_STORAGE
    assert hourly(of(InstanceFleets=[bidding])) == pytest.approx((0.0192 + fixed, 0.05 + fixed))
    bidding["LaunchSpecifications"] = {"SpotSpecification": timeout}
    assert hourly(of(InstanceFleets=[bidding])) == pytest.approx((0.0192 + fixed, 0.192 + fixed))


def test_three_masters_cost_three():
    assert hourly(of(InstanceGroups=[group("MASTER", 3), group("CORE", 2)])) == pytest.approx((5 * M5, 5 * M5))
    masters = fleet("MASTER", {"m5.xlarge": {}}, TargetOnDemandCapacity=3)
    assert hourly(of(InstanceFleets=[masters])) == pytest.approx((3 * M5, 3 * M5))


def test_managed_scaling_buys_on_demand_up_to_its_limit_and_the_rest_on_the_spot_market():
    limits = {"MinimumCapacityUnits": 2, "MaximumCapacityUnits": 10, "MaximumOnDemandCapacityUnits": 4}
    scaling = {"ComputeLimits": {"UnitType": "Instances", **limits}}
    spot = 0.0192 + 0.048 + XLARGE_STORAGE
    bid = 0.05 + 0.048 + XLARGE_STORAGE
    bidding = group("TASK", 1, BidPrice="0.05")
    cost = of(InstanceGroups=[group("CORE", 2), bidding], scaling=scaling)
    assert hourly(cost) == pytest.approx((2 * spot, 4 * M5 + 6 * bid))
    assert cost.parts[0].size == "2 to 10 x m5.xlarge, at most 4 on demand"
    # Without groups on the spot market nothing is bought beyond the limit.
    assert hourly(of(InstanceGroups=[group("CORE", 2)], scaling=scaling)) == pytest.approx((2 * M5, 4 * M5))
    assert hourly(of(InstanceGroups=[bidding], scaling=scaling)) == pytest.approx((2 * spot, 10 * bid))


def test_graviton_and_a_task_group_that_a_variable_switches_on(tmp_path):
    text = (
        "flowspec: v1\nname: arm\nbackend: emr\nregion: us-east-1\nrelease_label: emr-7.5.0\n"
        "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nec2_subnet_ids: [subnet-0a]\n"
        "variables:\n  workers: {type: integer, default: 0}\n"
        "instance_groups:\n  - {role: MASTER, type: m6g.xlarge}\n  - {role: CORE, type: r6gd.2xlarge, count: 2}\n"
        "  - {role: TASK, type: c6g.xlarge, count: '{{ workers }}', when: '{{ workers > 0 }}'}\n"
    )
    # r6gd has disks of its own: EMR adds no volume to it but the root.
    without = 0.154 + 0.0385 + XLARGE_STORAGE + 2 * (0.4608 + 0.1152 + 15 * 0.10 / 730)
    for workers in (0, 3):
        flow = flowspec.validate(rendered(tmp_path, text, variables={"workers": workers}))
        cost = estimate(flowspec.compile(flow).params, flow.region)
        more = workers * (0.136 + 0.034 + XLARGE_STORAGE)
        assert hourly(cost) == pytest.approx((without + more,) * 2)
        assert len(cost.parts) == (3 if workers else 2)


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


@pytest.mark.parametrize("release", [{"ReleaseLabel": "emr-6.9.0"}, {"AmiVersion": "3.11.0"}])
def test_releases_before_6_10_have_a_smaller_root_volume(release):
    groups = {"Instances": {"InstanceGroups": [group("MASTER")]}}
    now, earlier = (estimate({**groups, **one}, REGION) for one in ({"ReleaseLabel": "emr-6.10.0"}, release))
    assert now.hourly.low - earlier.hourly.low == pytest.approx(5 * 0.10 / 730)


def test_a_type_with_disks_of_its_own_gets_no_volumes_but_the_root():
    cost = estimate(
        {"Instances": {"InstanceGroups": [group("CORE", 1, "i3.xlarge")]}, "EbsRootVolumeSize": 100}, REGION
    )
    assert cost.hourly.low == pytest.approx(0.312 + 0.078 + 100 * 0.10 / 730)


def test_a_type_that_is_not_in_the_table_is_unknown_and_not_free():
    cost = of(InstanceGroups=[group("MASTER"), group("CORE", 4, "x9.mega")])
    assert cost.unknown == ("the price of x9.mega, not among the instance types known (instance group CORE)",)
    assert hourly(cost) == pytest.approx((M5, M5))
    assert next(line.partition(" USD")[0] for line in cost_lines(cost)) == "Cost: at least 0.25"
    assert list(cost_lines(of(InstanceGroups=[group("MASTER", 1, "x9.mega")]))) == [
        "Cost: not known: the price of x9.mega, not among the instance types known (instance group MASTER); "
        "`flowspec prices update --region us-east-1` reads prices from AWS"
    ]


@pytest.mark.parametrize(
    ("kind", "ec2", "named"),
    [
        ("m6g.16xlarge", 2.464, "EMR's own price of m6g.16xlarge (instance group CORE)"),
        ("m5.large", 0.096, "EMR's own price of m5.large, not among the instance types known (instance group CORE)"),
    ],
)
def test_a_type_without_a_price_of_emr_costs_at_least_what_ec2_asks(kind, ec2, named):
    cost = of(InstanceGroups=[group("CORE", 2, kind, EbsConfiguration=volumes(("gp3", 100, 1)))])
    assert hourly(cost) == pytest.approx((2 * (ec2 + (100 * 0.08 + 15 * 0.10) / 730),) * 2)
    assert cost.unknown == (named,)
    assert "Cost: at least " in next(cost_lines(cost))


def test_an_unknown_type_of_volume_is_named():
    volume = {"VolumeSpecification": {"VolumeType": "io9", "SizeInGB": 500}}
    cost = of(InstanceGroups=[group("CORE", EbsConfiguration={"EbsBlockDeviceConfigs": [volume]})])
    assert cost.unknown == ("the price of io9 volumes (instance group CORE)",)


LIMITS = {"UnitType": "VCPU", "MinimumCapacityUnits": -5, "MaximumCapacityUnits": -1}


@pytest.mark.parametrize(
    ("groups", "more", "most"),
    [
        ([group("CORE", Market="SPOT", BidPrice="0.0.1")], {}, M5),
        ([group("CORE", Market="SPOT", BidPrice="-1")], {}, M5),
        ([group("CORE", -1)], {}, 0),
        ([group("CORE", EbsConfiguration=volumes(("gp2", -10, 1)))], {}, 0.24 + 15 * 0.10 / 730),
        ([group("CORE", EbsConfiguration=volumes(("gp2", 10, 1_000_000)))], {}, 0.24 + 265 * 0.10 / 730),
        ([group("CORE", AutoScalingPolicy={"Constraints": {"MinCapacity": 5, "MaxCapacity": 1}})], {}, 5 * M5),
        ([group("CORE"), group("TASK", 1, "m5.2xlarge")], {"scaling": {"ComputeLimits": LIMITS}}, 0),
    ],
    ids=["bid", "negative bid", "count", "volume", "volumes", "limits in the wrong order", "negative limits"],
)
def test_a_request_that_emr_refuses_has_an_estimate_all_the_same(groups, more, most):
    # Of what `api_params` gives, `validate` only warns.
    cost = of(InstanceGroups=groups, **more)
    assert 0 <= cost.hourly.low <= cost.hourly.high == pytest.approx(most)


def test_a_fleet_whose_types_are_not_given_is_not_free():
    cost = of(
        InstanceFleets=[
            fleet("MASTER", {"m5.xlarge": {}}, TargetOnDemandCapacity=1),
            fleet("CORE", {}, TargetSpotCapacity=9),
        ]
    )
    assert cost.unknown == ("the price of instances of no type (instance fleet CORE, spot)",)


@pytest.mark.parametrize(("region", "named"), [("mars-1", "prices of region mars-1"), (None, "all prices")])
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
    mars = of("mars-1", InstanceGroups=[group("CORE")])
    assert cost_change(mars, two) == "not known → 0.50 USD an hour"
    assert cost_change(two, mars) == (
        "0.50 USD an hour → not known: prices of region mars-1; "
        "`flowspec prices update --region mars-1` reads prices from AWS"
    )


def test_the_parts_that_have_one_unknown_type_are_named_once():
    cost = of(InstanceGroups=[group("MASTER", 1, "x9.mega"), group("CORE", 4, "x9.mega")])
    assert cost.unknown == (
        "the price of x9.mega, not among the instance types known (instance group MASTER, instance group CORE)",
    )


def test_the_volumes_of_a_type_newer_than_the_table_of_types_are_not_free():
    update_own_table(REGION, RegionPrices({"m99.xlarge": Price(0.2, 0.05, Origin("2026-11-28"))}))
    cost = of(InstanceGroups=[group("CORE", 2, "m99.xlarge")])
    assert cost.unknown == ("the volumes that EMR adds to m99.xlarge (instance group CORE)",)
    assert of(InstanceGroups=[group("CORE", 2, "m99.xlarge", EbsConfiguration=volumes(("gp3", 9, 1)))]).unknown == ()


def test_the_table_is_whole():
    prices = instance_prices(REGION)
    assert priced_regions() == (REGION,)
    assert len(prices) >= 100
    assert len([name for name, one in prices.items() if one.emr]) >= 190
    assert [
        name for name, one in prices.items() if not 0 < (one.emr or 0.001) <= 0.27 or one.ec2 <= (one.emr or 0)
    ] == []
    # EMR refuses these ("Instance type 'm3.large' is not supported"), but requests have them.
    assert [name for name in prices if name not in known_types()] == ["m5.large", "m3.large", "c3.large"]
    assert all(date.fromisoformat(one.origin.date) and one.origin.source for one in prices.values())
    rows = json.loads(Path(price_table.__file__).with_name("prices.json").read_text())["regions"][REGION]["types"]
    assert sum(len(one["types"]) for one in rows) == len(prices), "a type is in two groups"
    assert volume_price(REGION, "gp2", 730).hourly == pytest.approx(0.10)


def test_emr_charges_a_quarter_of_ec2_or_its_limit():
    odd = {
        name.partition(".")[0]
        for name, one in instance_prices(REGION).items()
        if one.emr and one.emr != 0.27 and one.emr != pytest.approx(one.ec2 / 4, abs=0.0006)
    }
    # These were set before the rule (EMR pricing page).
    assert odd == {"m3", "m4", "r3", "c4", "c1"} & odd
    assert "m5" not in odd


def test_ec2_asks_the_same_for_each_virtual_cpu_of_a_family():
    families = {}
    for name, one in instance_prices(REGION).items():
        family = name.partition(".")[0]
        # Of instances with GPUs the price depends on the number of these.
        if name in known_types() and family[0] not in "gp":
            families.setdefault(family, {})[name] = one.ec2 / fact_of(name, "VCPU")
    uneven = {name for name, one in families.items() if max(one.values()) > min(one.values()) * 1.02}
    # The largest c4 and d2 have 36 virtual CPUs for the price of 32; the m1 have other shares of a CPU.
    assert uneven == {"c4", "d2", "m1"}


@pytest.mark.skipif(not REQUESTS, reason="the corpus of public requests is not here")
def test_requests_of_the_corpus_have_a_price_where_emr_offers_their_types():
    costs = [estimate(json.loads(path.read_text())["request"], REGION) for path in REQUESTS]
    assert sum(cost.hourly is not None for cost in costs) > len(REQUESTS) / 2
    named = {name for cost in costs for one in cost.unknown for name in re.findall(r"price of ([\w.-]+)(?=,| \()", one)}
    assert named & set(known_types()) == set()
    # EMR refuses them; of c3.medium and g1.xlarge EC2 knows nothing either.
    assert named == {"c3.large", "c3.medium", "g1.xlarge", "m3.large", "m5.large"}
