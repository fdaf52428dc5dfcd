"""The user's own table of prices: what it lies over, how it is written, and what of it is refused."""

import signal
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner

from flowspec import FlowspecError
from flowspec.cli import root
from flowspec.cost.estimate import estimate
from flowspec.facts.price_table import (
    Origin,
    Price,
    RegionPrices,
    VolumeRates,
    own_table,
    own_table_path,
    packaged_table,
    update_own_table,
)
from flowspec.facts.prices import instance_price, volume_price
from flowspec.report.costs import cost_document, cost_lines

DAY = date(2026, 11, 28)
ORIGIN = Origin("2026-11-28", "AWS Price List API, GetProducts", own=True)
ONE = {"Instances": {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]}}
KILLED = """
import os, signal
from flowspec.facts.price_table import Origin, Price, RegionPrices, update_own_table
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
update_own_table("us-east-1", RegionPrices({"m5.xlarge": Price(2.0, 0.5, Origin("2026-12-24"))}))
"""
# The first update says when it has read the table and goes on when it may; the second when it waits for the first.
AT_ONCE = """
import fcntl, os, sys
from flowspec.facts.price_table import Origin, Price, RegionPrices, update_own_table
fsync, flock, region = os.fsync, fcntl.flock, sys.argv[1]
if region == "eu-west-1":
    os.fsync = lambda file: (print("read", flush=True), input(), fsync(file))
else:
    fcntl.flock = lambda *lock: (print("waits", flush=True), flock(*lock))
update_own_table(region, RegionPrices({"m5.xlarge": Price(2.0, 0.5, Origin("2026-12-24"))}))
"""


def of(ec2_price, emr_price, origin=ORIGIN):
    return RegionPrices({"m5.xlarge": Price(ec2_price, emr_price, origin)})


def test_the_own_table_lies_over_the_packaged_one_row_by_row():
    assert instance_price("us-east-1", "m5.xlarge") == packaged_table()["us-east-1"].types["m5.xlarge"]
    update_own_table("us-east-1", of(1.0, 0.5))
    assert instance_price("us-east-1", "m5.xlarge") == Price(1.0, 0.5, ORIGIN)
    assert not instance_price("us-east-1", "r5.xlarge").origin.own
    cost = estimate(ONE, "us-east-1")
    assert f"by {'prices of 2025-01-31 and 2026-11-28 (your table)'}" in next(cost_lines(cost, DAY))
    assert cost_document(cost)["tables"] == ["own", "packaged"]


def test_an_update_replaces_the_rows_that_it_has_and_keeps_the_others():
    later = Origin("2026-12-24", "AWS Price List API, GetProducts", own=True)
    rates = {"gp3": VolumeRates(0.09, 0.006, None, ORIGIN)}
    first = RegionPrices({name: Price(1, 0.5, ORIGIN) for name in ("m5.xlarge", "r5.xlarge")}, rates)
    update_own_table("eu-west-1", first)
    update_own_table("eu-west-2", of(3.0, 0.5))
    update_own_table("eu-west-1", of(2.0, None, later))
    table = own_table()
    assert table["eu-west-1"].types == {"r5.xlarge": Price(1, 0.5, ORIGIN), "m5.xlarge": Price(2.0, None, later)}
    assert table["eu-west-1"].volumes == rates
    assert table["eu-west-2"].types["m5.xlarge"].ec2 == 3.0
    # What the table has no price of is not free.
    assert volume_price("eu-west-1", "gp3", 100, mib_s=125) is not None
    assert volume_price("eu-west-1", "gp3", 100, mib_s=126) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ("[]", "the table is not a mapping"),
        ('{"regions": {"eu-west-1": {"types": 5}}}', "eu-west-1.types is not a list"),
        ('{"regions": {"eu-west-1": {"types": [{"types": {}}]}}}', "eu-west-1 has no date"),
        ('{"regions": {"e": {"types": [{"date": "yesterday", "types": {}}]}}}', "yesterday"),
        ('{"regions": {"e": {"types": [{"date": "2026-11-28", "types": {"m": [1]}}]}}}', "e.m has 1 prices"),
        (
            '{"regions": {"e": {"types": [{"date": "2026-11-28", "types": {"m": [-1, null]}}]}}}',
            "e.m is not a price: -1",
        ),
        (
            '{"regions": {"e": {"types": [{"date": "2026-11-28", "types": {"m": [NaN, 1]}}]}}}',
            "e.m is not a price: nan",
        ),
        ('{"regions": {"e": {"types": [{"date": "2026-11-28", "types": {"m": [true, 1]}}]}}}', "is not a price: True"),
        (
            '{"regions": {"e": {"volumes": {"date": "2026-11-28", "gb_month": {"gp3": "x"}}}}}',
            "volumes.gp3 is not a price",
        ),
    ],
    ids=["cut", "deep", "list", "types", "undated", "date", "row", "negative", "nan", "true", "volume"],
)
def test_a_damaged_table_is_an_error_with_its_remedy_and_is_never_overwritten(text, said):
    path = own_table_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for use in (lambda: estimate(ONE, "us-east-1"), lambda: update_own_table("us-east-1", of(1.0, 0.5))):
        with pytest.raises(FlowspecError) as refused:
            use()
        assert refused.value.message.startswith(f"the table of prices can't be read: {path}: ")
        assert said in refused.value.message
        assert refused.value.remedy == f"remove it (`rm {path}`); `flowspec prices update` writes a new one"
    assert path.read_text() == text
    # The command says so before it asks AWS, whose price list nobody serves here.
    assert "can't be read" in CliRunner().invoke(root, ["prices", "update"]).exception.message


def test_an_update_that_is_killed_leaves_the_old_table():
    update_own_table("us-east-1", of(1.0, 0.5))
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = [path.name for path in own_table_path().parent.glob("prices*")]
    assert sorted(left) == ["prices.json", "prices.lock"]
    assert own_table()["us-east-1"].types["m5.xlarge"].ec2 == 1.0
    update_own_table("us-east-1", of(3.0, 0.5))
    assert own_table()["us-east-1"].types["m5.xlarge"].ec2 == 3.0


def test_two_updates_at_once_lose_no_rows_of_each_other():
    def started(region):
        argv = [sys.executable, "-c", AT_ONCE, region]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with started("eu-west-1") as first:
        assert first.stdout.readline() == "read\n"
        with started("eu-west-2") as second:
            # Without a lock the second one ends here, and the first one overwrites its table.
            second.stdout.readline()
            first.communicate("\n")
    assert (first.returncode, second.returncode) == (0, 0)
    assert sorted(own_table()) == ["eu-west-1", "eu-west-2"]


def test_a_table_that_can_not_be_written_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "file" / "home"))
    assert instance_price("us-east-1", "m5.xlarge")
    with pytest.raises(FlowspecError, match="the table of prices was not written") as refused:
        update_own_table("us-east-1", of(1.0, 0.5))
    assert refused.value.remedy.startswith("set FLOWSPEC_HOME")


def test_without_a_home_there_is_no_table_of_ones_own(monkeypatch):
    for name in ("FLOWSPEC_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError()))
    assert own_table() == {}
