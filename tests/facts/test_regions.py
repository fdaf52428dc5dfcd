"""The regions of facts.regions are those of botocore."""

import botocore.session

from flowspec.facts.regions import REGIONS, partition_of


def test_the_regions_are_those_of_botocore():
    session = botocore.session.Session()
    known = {
        region for one in session.get_available_partitions() for region in session.get_available_regions("emr", one)
    }
    # A later botocore may know more: those are warned about until they are listed.
    assert known >= REGIONS
    assert len(REGIONS) > 40


def test_the_partitions_are_those_of_botocore():
    session = botocore.session.Session()
    found = {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("emr", partition)
    }
    assert {region: partition_of(region) for region in found} == found
