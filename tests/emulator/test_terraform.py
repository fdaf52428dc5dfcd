"""Terraform with its AWS provider as a client: create, an empty plan, change in place, an empty plan, destroy.

It runs as `terraform test`: one process for all five, where five commands would load the provider's schema (10 s) five
times. Most of the remaining time is the provider's own: it first looks at a new or ended cluster after 30 s.
"""

import json
import shutil
from pathlib import Path

import pytest

from flowspec.emulator.api.service import Service
from tests.emulator.conftest import Emr, emulator
from tests.importers.terraform.judge import provider, terraform

PROJECT = Path(__file__).parent / "terraform"


@pytest.mark.skipif(provider() is None, reason="Terraform with its AWS provider is not installed")
def test_terraform_creates_changes_in_place_and_destroys(home, tmp_path):
    messages = run_project(home, tmp_path / "project")
    for run in ("unchanged", "unchanged_again"):
        actions = planned(messages, run)
        assert len(actions) == (PROJECT / "main.tf").read_text().count("\nresource ")
        assert set(map(tuple, actions.values())) == {("no-op",)}
    emr = Emr(Service(home))
    clusters = {one["Name"]: one for one in emr.call("ListClusters")["Clusters"]}
    # One of each name: nothing was replaced.
    assert sorted((name, one["Status"]["State"]) for name, one in clusters.items()) == [
        (name, "TERMINATED") for name in ("fleets", "groups", "plain")
    ]
    assert len(emr.call("ListClusters")["Clusters"]) == len(clusters)
    changed = emr.cluster(clusters["groups"]["Id"])
    assert {tag["Key"]: tag["Value"] for tag in changed["Tags"]} == {"team": "ads", "env": "dev"}
    assert (changed["StepConcurrencyLevel"], changed["UnhealthyNodeReplacement"]) == (5, True)
    assert emr.call("ListSecurityConfigurations")["SecurityConfigurations"] == []


def run_project(home, folder):
    """The messages of `terraform test` about the project; it has passed."""
    shutil.copytree(PROJECT, folder)
    # The time scale shortens resizes and launches; the idle timeouts of the project are longer than the test even so.
    with emulator(home, "--instant", "--time-scale", "20") as url:
        out = terraform(folder, "test", "-no-color", "-json", "-verbose", "-var", f"endpoint={url}")
    return [json.loads(line) for line in out.splitlines()]


def planned(messages, run):
    """The actions that a plan has for each resource."""
    [plan] = [one["test_plan"] for one in messages if one["type"] == "test_plan" and one["@testrun"] == run]
    return {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
