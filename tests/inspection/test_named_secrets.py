"""Secrets of a cluster that are found by their names, in arguments and configurations, without a spec."""

import pytest

from flowspec.inspection.named_secrets import mask_named_options, named_secrets
from flowspec.plan.cluster import Cluster, Live, Step


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--password", "hunter22"], ["--password", "(sensitive)"]),
        (["--token=hunter22"], ["--token=(sensitive)"]),
        (["-Dfs.s3a.secret.key=hunter22"], ["-Dfs.s3a.secret.key=(sensitive)"]),
        (["-D", "fs.s3a.secret.key=hunter22"], ["-D", "fs.s3a.secret.key=(sensitive)"]),
        (["--conf", "spark.secret=a=hunter22"], ["--conf", "spark.secret=(sensitive)"]),
        (["-cmdenv", "API_TOKEN=hunter22"], ["-cmdenv", "API_TOKEN=(sensitive)"]),
        (["--password", "--token", "hunter22"], ["--password", "--token", "(sensitive)"]),
        (["--secret", "my.secret=hunter22"], ["--secret", "my.secret=(sensitive)"]),
    ],
)
def test_the_value_of_an_option_is_masked(words, shown):
    assert mask_named_options(words) == shown
    assert named_secrets(Cluster("j-1", "", "RUNNING", steps=(Step("s-1", "", "RUNNING", args=tuple(words)),)))


@pytest.mark.parametrize("word", ["s3://b/credentials/day=2024-01-01", "echo token=2024-01-01", "--token", "token="])
def test_other_arguments_stay_as_they_are(word):
    assert mask_named_options([word]) == [word]


def test_values_in_the_configuration_and_in_lists_of_pairs():
    steps = [{"HadoopJarStep": {"Properties": [{"Key": "db.password", "Value": "hunter22"}]}}]
    settings = [{"Classification": "core-site", "Properties": {"fs.s3a.secret.key": "hunter23", "a": "hunter24"}}]
    live = Live({"Steps": steps, "Configurations": settings})
    assert named_secrets(Cluster("j-1", "", "RUNNING", live=live)) == {"hunter22", "hunter23"}
