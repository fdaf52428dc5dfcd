"""Releases and instance types of EMR; security configurations and public ports of an account."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import moto
import pytest

from flowspec.emulator.api.service import EmrError, Service
from flowspec.emulator.state.capacity import vcpus
from flowspec.facts import releases

RECORDED = Path(moto.__file__).parent / "emr" / "resources"


def read(name):
    return json.loads(gzip.decompress((RECORDED / name).read_bytes()))


def all_of(emr, operation, member, marker="Marker", **params):
    """A list's items over all its pages, and the sizes of those."""
    pages = emr.pages(operation, member, marker, **params)
    return [one for page in pages for one in page], [len(page) for page in pages]


def test_release_labels_come_newest_first(still):
    labels, pages = all_of(still, "ListReleaseLabels", "ReleaseLabels", "NextToken")
    assert sorted(labels) == sorted(releases.labels())
    assert labels.index("emr-7.5.0") < labels.index("emr-6.15.0") < labels.index("emr-5.36.0")
    assert pages[0] == 100
    few, pages = all_of(still, "ListReleaseLabels", "ReleaseLabels", "NextToken", MaxResults=60)
    assert (few, pages[0]) == (labels, 60)


@pytest.mark.parametrize(
    ("filters", "there", "missing"),
    [
        ({"Prefix": "emr-5"}, {"emr-5.36.0"}, {"emr-6.15.0"}),
        ({"Application": "Delta"}, {"emr-7.5.0"}, {"emr-5.36.0"}),
        ({"Application": "Spark@3.5.5", "Prefix": "emr-7"}, {"emr-7.10.0"}, {"emr-7.0.0", "emr-6.15.0"}),
    ],
)
def test_release_labels_are_filtered(still, filters, there, missing):
    found = set(still.call("ListReleaseLabels", Filters=filters)["ReleaseLabels"])
    assert there <= found
    assert not missing & found


def test_a_release_is_described(still):
    answer = still.call("DescribeReleaseLabel", ReleaseLabel="emr-7.10.0")
    versions = {one["Name"]: one.get("Version") for one in answer["Applications"]}
    assert (answer["ReleaseLabel"], versions["Spark"]) == ("emr-7.10.0", "3.5.5")
    assert answer["AvailableOSReleases"][0]["Label"].startswith("2023.")
    newest = still.call("DescribeReleaseLabel")["ReleaseLabel"]
    assert newest == max(
        still.call("ListReleaseLabels", Filters={"Prefix": "emr-7"})["ReleaseLabels"], key=releases.numbers
    )


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-6.9.0", "emr-7.5.0", "emr-7.14.0", "emr-spark-8.0.0"])
def test_instance_types_are_those_that_were_recorded(still, label):
    found, pages = all_of(still, "ListSupportedInstanceTypes", "SupportedInstanceTypes", ReleaseLabel=label)
    names = [one["Type"] for one in found]
    recorded, facts = read(f"instance-types-{label}.json.gz"), read("instance_types.json.gz")
    assert sorted(names) == sorted(recorded)
    assert names == sorted(names)
    assert pages[0] == 50
    assert all({**one, "MemoryGB": 0} == {**facts[one["Type"]], "MemoryGB": 0} for one in found)
    assert all(one["MemoryGB"] == pytest.approx(facts[one["Type"]]["MemoryGB"], abs=0.01) for one in found)


def test_the_vcpus_of_a_type_that_is_not_known_are_one():
    assert (vcpus("m5.xlarge"), vcpus("z9.nano")) == (4, 1)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeReleaseLabel", {"ReleaseLabel": "emr-99.0.0"}),
        ("ListSupportedInstanceTypes", {"ReleaseLabel": "7.5.0"}),
        ("ListReleaseLabels", {"MaxResults": 101}),
        ("ListReleaseLabels", {"NextToken": "x"}),
    ],
)
def test_what_is_not_offered_is_refused(still, operation, params):
    with pytest.raises(EmrError) as caught:
        still.call(operation, **params)
    assert caught.value.code == "InvalidRequestException"


SECURE = json.dumps({"EncryptionConfiguration": {"EnableInTransitEncryption": False}})


def test_a_security_configuration_is_kept_until_it_is_deleted(still):
    made = still.call("CreateSecurityConfiguration", Name="a b/ü", SecurityConfiguration=SECURE)
    assert still.call("DescribeSecurityConfiguration", Name="a b/ü") == {**made, "SecurityConfiguration": SECURE}
    assert still.call("ListSecurityConfigurations")["SecurityConfigurations"] == [made]
    assert still.call("DeleteSecurityConfiguration", Name="a b/ü") == {}
    assert still.call("ListSecurityConfigurations") == {"SecurityConfigurations": []}
    still.call("CreateSecurityConfiguration", Name="a b/ü", SecurityConfiguration=SECURE)


def test_security_configurations_come_fifty_on_a_page_and_belong_to_a_region(still):
    for number in range(51):
        still.call("CreateSecurityConfiguration", Name=str(number), SecurityConfiguration="{}")
    found, pages = all_of(still, "ListSecurityConfigurations", "SecurityConfigurations")
    assert [one["Name"] for one in found] == [str(number) for number in range(51)]
    assert pages == [50, 1]
    elsewhere = Service(still.home, region="eu-west-1")
    assert elsewhere.call("ListSecurityConfigurations", {}) == {"SecurityConfigurations": []}
    elsewhere.call("CreateSecurityConfiguration", {"Name": "0", "SecurityConfiguration": "{}"})


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("DescribeSecurityConfiguration", {"Name": "no"}, "Security configuration with name 'no' does not exist."),
        ("DeleteSecurityConfiguration", {"Name": "no"}, "Security configuration with name 'no' does not exist."),
        (
            "CreateSecurityConfiguration",
            {"Name": "there", "SecurityConfiguration": "{}"},
            "SecurityConfiguration with name there already exists",
        ),
        ("CreateSecurityConfiguration", {"Name": "", "SecurityConfiguration": "{}"}, "must have 1 to 10280 characters"),
        ("CreateSecurityConfiguration", {"Name": "n", "SecurityConfiguration": "{"}, "is not a valid JSON object"),
        ("CreateSecurityConfiguration", {"Name": "n", "SecurityConfiguration": "[]"}, "is not a valid JSON object"),
    ],
)
def test_what_is_wrong_about_a_security_configuration(still, operation, params, message):
    still.call("CreateSecurityConfiguration", Name="there", SecurityConfiguration="{}")
    with pytest.raises(EmrError) as caught:
        still.call(operation, **params)
    assert caught.value.code == "InvalidRequestException"
    assert message in caught.value.message


def test_public_ports_are_blocked_but_for_ssh_until_something_else_is_put(still):
    first = still.call("GetBlockPublicAccessConfiguration")
    assert first["BlockPublicAccessConfiguration"] == {
        "BlockPublicSecurityGroupRules": True,
        "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
    }
    for ranges in ([{"MinRange": 80}, {"MinRange": 8000, "MaxRange": 9000}], []):
        wanted = {"BlockPublicSecurityGroupRules": False, "PermittedPublicSecurityGroupRuleRanges": ranges}
        assert still.call("PutBlockPublicAccessConfiguration", BlockPublicAccessConfiguration=wanted) == {}
        got = still.call("GetBlockPublicAccessConfiguration")["BlockPublicAccessConfiguration"]
        whole = [{"MaxRange": one["MinRange"], **one} for one in ranges]
        assert got == {**wanted, "PermittedPublicSecurityGroupRuleRanges": whole}


@pytest.mark.parametrize(
    "ports", [{"MinRange": -1}, {"MinRange": 9, "MaxRange": 8}, {"MinRange": 1, "MaxRange": 65536}]
)
def test_ports_are_ports(still, ports):
    wanted = {"BlockPublicSecurityGroupRules": True, "PermittedPublicSecurityGroupRuleRanges": [ports]}
    with pytest.raises(EmrError, match="is not within 0-65535"):
        still.call("PutBlockPublicAccessConfiguration", BlockPublicAccessConfiguration=wanted)
