"""Prices from AWS's price list, for a table of the user's own, and the commands that make and show it."""

import json
from datetime import date, datetime, timezone

import pytest
from click.testing import CliRunner

from flowspec import FlowspecError, ServiceError
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.pricing import find_prices
from flowspec.cli import root
from flowspec.cost.estimate import estimate
from flowspec.facts.price_table import Origin, Price, VolumeRates, own_table_path
from flowspec.report.costs import cost_document, cost_lines
from tests.backend.aws.price_list import REGION, PriceList, ec2
from tests.endpoints import credentials, serving  # noqa: F401 - a fixture

DAY = date(2026, 11, 28)
ORIGIN = Origin("2026-11-28", "AWS Price List API, GetProducts", own=True)
GROUP = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
ONE = {"ReleaseLabel": "emr-7.5.0", "Instances": {"InstanceGroups": [GROUP]}}


@pytest.fixture(scope="module")
def server():
    with PriceList() as server, serving(server):
        yield server


@pytest.fixture
def price_list(server, credentials, monkeypatch):  # noqa: F811
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.url)
    server.questions, server.fault = [], None
    return server


def find(region=REGION, *types):
    return find_prices(connect(Endpoint("emr", region)), types, DAY)


def run(*argv):
    return CliRunner().invoke(root, ["prices", *argv], standalone_mode=False)


def test_the_prices_of_a_region_are_those_on_demand_of_what_emr_offers(price_list):
    found = find()
    assert found.prices.types == {
        "m5.xlarge": Price(0.214, 0.048, ORIGIN),
        "m7g.xlarge": Price(0.1822, 0.04555, ORIGIN),
    }
    assert found.prices.volumes == {
        "gp2": VolumeRates(0.11, None, None, ORIGIN),
        "gp3": VolumeRates(0.088, 0.0055, 0.044, ORIGIN),
        "io1": VolumeRates(0.138, 0.072, None, ORIGIN),
        "standard": VolumeRates(0.055, None, None, ORIGIN),
    }
    assert found.notes == ("m9x.xlarge is left out: AmazonEC2 has the prices [0.5, 1.0] of it",)
    assert {target for target, _, _ in price_list.questions} == {"AWSPriceListService.GetProducts"}
    pages = [question.get("NextToken") for _, _, question in price_list.questions]
    assert pages[:2] == [None, "2"]


@pytest.mark.parametrize(
    ("region", "asked"),
    [("me-south-1", "eu-central-1"), ("ap-northeast-1", "ap-south-1"), ("ca-central-1", "us-east-1")],
)
def test_the_api_is_asked_in_one_of_the_three_regions_that_have_it(price_list, region, asked):
    with pytest.raises(FlowspecError, match=f"has no prices of them in region {region}"):
        find(region, "m5.xlarge")
    assert f"/{asked}/pricing/aws4_request" in price_list.questions[0][1]


def test_types_that_are_asked_for_are_asked_for_one_by_one_and_named_if_they_lack_a_price(price_list):
    found = find(REGION, "t3.micro", "r9x.xlarge", "x9.mega", "m5.xlarge", "m5.xlarge")
    assert found.prices.types == {
        "t3.micro": Price(0.0114, None, ORIGIN),
        "m5.xlarge": Price(0.214, 0.048, ORIGIN),
    }
    assert found.notes == (
        "t3.micro: EMR has no price of it in eu-west-1",
        "r9x.xlarge: EC2 has no price of it in eu-west-1",
        "x9.mega: EC2 and EMR have no price of it in eu-west-1",
    )
    asked = [{one["Field"]: one["Value"] for one in question["Filters"]} for _, _, question in price_list.questions]
    assert [one["instanceType"] for one in asked if one.get("operatingSystem")] == [
        "t3.micro",
        "r9x.xlarge",
        "x9.mega",
        "m5.xlarge",
    ]


def test_who_may_not_ask_is_told_the_permission(price_list):
    price_list.fault = (400, "AccessDeniedException", "User: u is not authorized to perform: pricing:GetProducts")
    with pytest.raises(ServiceError) as refused:
        find()
    assert refused.value.remedy.startswith("allow pricing:GetProducts, on resource *")
    assert not own_table_path().exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("{", "a product that can't be read"),
        ('{"product": {}}', "a product that can't be read"),
        ("[]", "a product that can't be read"),
        (json.dumps(ec2("m5.xlarge", 1)).replace("1.0000000000", "cheap"), "a price that is not a number: cheap"),
    ],
    ids=["no JSON", "no attributes", "no mapping", "no number"],
)
def test_an_answer_of_another_form_is_an_error(price_list, answer, said):
    price_list.fault = answer
    with pytest.raises(FlowspecError, match=said):
        find()


def test_prices_in_another_currency_are_refused():
    with pytest.raises(FlowspecError, match="not in USD"):
        find_prices(type("Emr", (), {"region": "cn-north-1"}))


def test_update_then_estimate_then_show(price_list):
    before = estimate(ONE, REGION)
    assert (before.hourly, before.unknown) == (None, ("prices of region eu-west-1",))
    done = run("update", "--region", REGION)
    assert (done.return_value, done.exception) == (0, None)
    assert done.stdout == f"2 instance types and 4 types of volumes of eu-west-1: {own_table_path()}\n"
    assert "note: m9x.xlarge is left out" in done.stderr

    cost = estimate(ONE, REGION)
    assert cost.hourly.low == pytest.approx(0.214 + 0.048 + 79 * 0.11 / 730)
    today = datetime.now(timezone.utc).date()
    assert next(cost_lines(cost)) == f"Cost: 0.27 USD an hour in eu-west-1, by prices of {today} (your table)"
    assert cost_document(cost)["tables"] == ["own"]
    assert "more than a year old" in "".join(cost_lines(cost, today.replace(year=today.year + 2)))

    shown = run("show", "m5.xlarge", "--region", REGION).stdout.splitlines()
    assert shown[1].split() == ["eu-west-1", "m5.xlarge", "0.214", "0.048", str(today), "own", "[1]"]
    assert shown[-1] == "[1] AWS Price List API, GetProducts"
    (document,) = json.loads(run("show", "--region", REGION, "--format", "json").stdout)
    assert document["volumes"]["gp3"]["mib_s_month"] == 0.044
    assert document["types"]["m5.xlarge"]["source"] == "AWS Price List API, GetProducts"


def test_update_for_programs(price_list):
    done = run("update", "--region", REGION, "--types", "m5.xlarge, t3.micro", "--format", "json")
    document = json.loads(done.stdout)
    assert document["types"]["m5.xlarge"]["ec2"] == 0.214
    assert document["types"]["t3.micro"]["emr"] is None
    assert document["notes"] == ["t3.micro: EMR has no price of it in eu-west-1"]
    assert document["table"] == str(own_table_path())


def test_show_names_what_no_table_has():
    done = run("show", "m5.large", "x9.mega")
    assert done.return_value == 1
    assert done.stdout.splitlines()[1].split()[:5] == ["us-east-1", "m5.large", "0.096", "not", "known"]
    assert "no price of x9.mega is known; try: flowspec prices update --types x9.mega" in done.stderr
    refused = run("show", "--region", "mars-1").exception
    assert (refused.message, refused.remedy) == (
        "no prices of region mars-1 are known",
        "flowspec prices update --region mars-1",
    )
