"""mrjob.conf. The judge is mrjob itself: what its runner would send for the same file."""

from pathlib import Path

import pytest

from tests.importers.common import compiled, refusal, wanted

ROLES = "iam_instance_profile: P, iam_service_role: S, cloud_tmp_dir: 's3://b/tmp', bootstrap_mrjob: false"
CONFS = {
    "least": f"runners: {{emr: {{{ROLES}}}}}",
    "workers": f"runners: {{emr: {{{ROLES}, instance_type: r5.xlarge, num_core_instances: 3, master_instance_type: m5.large}}}}",
    "alone": f"runners: {{emr: {{{ROLES}, instance_type: r5.xlarge}}}}",
    "old release": f"runners: {{emr: {{{ROLES}, image_version: 5.8.0, num_core_instances: 1}}}}",
    "an AMI": f"runners: {{emr: {{{ROLES}, image_version: 3.11.0, num_core_instances: 1}}}}",
    "spot": f"runners: {{emr: {{{ROLES}, num_task_instances: 4, task_instance_bid_price: 0.25, core_instance_bid_price: 0}}}}",
    "long": f"""
runners:
  emr:
    {ROLES.replace(", ", chr(10) + "    ")}
    release_label: emr-6.15.0
    region: eu-west-1
    zone: eu-west-1b
    cloud_log_dir: s3://logs/mrjob
    ec2_key_pair: ops
    max_concurrent_steps: 4
    ebs_root_volume_gb: 40
    image_id: ami-0123456789abcdef0
    applications: [Spark, Hive]
    additional_emr_info: {{key: value}}
    subnet: [subnet-1, subnet-2]
    emr_configurations:
      - Classification: core-site
        Properties: {{hadoop.security.groups.cache.secs: "250"}}
    instance_fleets:
      - InstanceFleetType: MASTER
        TargetOnDemandCapacity: 1
        InstanceTypeConfigs: [{{InstanceType: m5.xlarge}}]
    extra_cluster_params:
      AutoScalingRole: A
      Instances.TerminationProtected: true
      VisibleToAllUsers: null
""",
    "single items and nulls": f"""
runners:
  emr:
    {ROLES.replace(", ", chr(10) + "    ")}
    bootstrap_actions: s3://b/install.sh
    applications: Spark
    num_core_instances: null
    tags: null
    extra_cluster_params: null
""",
    "groups": f"""
runners:
  emr:
    {ROLES.replace(", ", chr(10) + "    ")}
    subnet: subnet-1
    bootstrap_actions: ["s3://b/install.sh --fast 'a b'"]
    instance_groups:
      - {{InstanceRole: MASTER, InstanceCount: 1, InstanceType: m5.xlarge}}
      - {{InstanceRole: CORE, InstanceCount: 2, InstanceType: r5.xlarge}}
""",
}


def sent_by_mrjob(text, folder):
    emr = pytest.importorskip("mrjob.emr", reason="mrjob imports `pipes`, which Python 3.13 has no more")
    (folder / "mrjob.conf").write_text(text)
    runner = emr.EMRJobRunner(conf_paths=[str(folder / "mrjob.conf")], output_dir="s3://b/out/")
    # It adds the tags to the cluster when that is there.
    tags = [{"Key": key, "Value": value} for key, value in sorted(runner._opts["tags"].items())]
    made = {**runner._cluster_kwargs(), "Tags": tags}
    return {key: value for key, value in made.items() if key not in ("Name", "Steps") and value}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CONFS)
def test_the_request_is_mrjobs(name, tmp_path, credentials):
    source = wanted(CONFS[name], name="mrjob.conf", folder=tmp_path)
    made = compiled(source, tmp_path)
    assert made.pop("Name") == "mrjob"
    assert made == sent_by_mrjob(CONFS[name], tmp_path)


_CLEARING = """
include: [base.conf, sub/more.conf]
runners:
  emr:
    applications: [Hive]
    tags: {team: b, old: !clear , kept: !clear x}
    bootstrap_actions: !clear [s3://b/new.sh]
    release_label: !clear
    zone: !clear "eu-west-1b"
    max_concurrent_steps: !clear 3
    ebs_root_volume_gb: null
    emr_configurations:
      - Classification: core-site
        Properties: {a: "2"}
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_that_it_includes_count_as_for_mrjob(tmp_path, credentials):
    (tmp_path / "sub").mkdir()
    base = f"""
runners:
  emr:
    {ROLES.replace(", ", chr(10) + "    ")}
    applications: Spark
    tags: {{team: a, old: o, base: x}}
    bootstrap_actions: [s3://b/old.sh]
    release_label: emr-6.15.0
    max_concurrent_steps: 7
    ebs_root_volume_gb: 40
    emr_configurations: [{{Classification: yarn-site, Properties: {{b: "1"}}}}]
"""
    (tmp_path / "base.conf").write_text(base)
    # Relative to the file that includes it; each file counts once.
    more = "include: ../base.conf\nrunners: {emr: {tags: {more: m}, instance_type: r5.xlarge, zone: z}}\n"
    (tmp_path / "sub" / "more.conf").write_text(more)
    source = wanted(_CLEARING, name=str(tmp_path / "mrjob.conf"), folder=tmp_path)
    assert not [note for note in source.notes if "include" in note]
    made = compiled(source, tmp_path)
    assert made.pop("Name") == "mrjob"
    assert made == sent_by_mrjob(_CLEARING, tmp_path)


def test_a_file_that_includes_itself_counts_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    text = "include: mrjob.conf\nrunners: {emr: {bootstrap_actions: [s3://b/x]}}\n"
    Path("conf/mrjob.conf").write_text(text)
    source = wanted(text, name="conf/mrjob.conf", folder=Path("conf"))
    assert [one["Name"] for one in source.params["BootstrapActions"]] == ["action 0"]


@pytest.mark.parametrize("name", ['"a\\0b"', "x" * 5000, "loop"])
def test_a_file_that_can_not_be_included_is_noted(name, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    text = f"include: {name}\nrunners: {{emr: {{zone: z}}}}\n"
    source = wanted(text, name=str(tmp_path / "mrjob.conf"), folder=tmp_path)
    assert source.notes[0].startswith("include is not followed: ")


def test_a_tag_that_is_not_mrjobs_is_refused():
    found = refusal("runners:\n  emr:\n    zone: !other a\n", "mrjob")
    assert (found.message, found.location.line) == ("the tag !other is not one of mrjob's", 3)


def test_what_is_not_the_clusters_is_noted(tmp_path):
    source = wanted(
        "include: other.conf\nrunners:\n  emr:\n    bootstrap: [sudo yum install x]\n    bootstrap_python: false\n    bootstrap_files: []\n    setup: [make]\n    odd: 1\n"
        "    pool_clusters: true\n    max_mins_idle: 20\n    tags: {team: a}\n    region: eu-west-1\n",
        name="mrjob.conf",
    )
    assert source.notes == (
        'include is not followed: what "other.conf" says is not imported',
        "mrjob's own script ends a pooled cluster after 20 idle minutes: here auto_termination_policy",
        "bootstrap is not imported: mrjob makes a script of it; write it as a bootstrap action",
        "setup is not imported: it belongs to the steps of each job",
        "odd is not imported: it is not a known option of mrjob",
        "the steps are those of each job: `flowspec migrate` records them from a script of mrjob's",
    )
    assert source.region == "eu-west-1"
    made = compiled(source, tmp_path, log_uri="s3://l/", iam_instance_profile="P", iam_service_role="S")
    assert made["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert made["Tags"] == [{"Key": "team", "Value": "a"}]
    assert {"log_uri", "iam_instance_profile", "iam_service_role"} == source.variables.keys()


def test_a_conf_without_an_emr_runner_is_refused():
    assert refusal("runners: {local: {}}", name="mrjob.conf").message == "this mrjob.conf has no runner emr"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "bootstrap_actions: ['s3://b/x \"a']",
            'the bootstrap action "s3://b/x \\"a" can\'t be read: No closing quotation',
        ),
        ("bootstrap_actions: ['']", 'the bootstrap action "" can\'t be read: a path is wanted'),
        ("bootstrap_actions: [{a: 1}]", 'the bootstrap action {"a": 1} can\'t be read: a path is wanted'),
        ("bootstrap_actions: {a: 1}", "bootstrap_actions has to be a list"),
        ("tags: [a]", "tags has to be a mapping"),
        ("extra_cluster_params: a", "extra_cluster_params has to be a mapping"),
        ("extra_cluster_params: {Name.x: 1}", "Name.x in extra_cluster_params: Name has no members"),
        ("max_mins_idle: soon\n    pool_clusters: true", "max_mins_idle is not a number: 'soon'"),
    ],
)
def test_an_option_of_another_form_is_refused(option, message):
    assert refusal(f"runners:\n  emr:\n    {option}\n", "mrjob").message == message
