"""Runs as lines of text."""

from datetime import datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.events import StepChanged
from flowspec.backend.aws.manage.staged import StagedFile
from flowspec.plan.cluster import Cluster, Step
from flowspec.report import clusters, runs, staging

START = datetime(2026, 11, 29, 9, tzinfo=timezone.utc)


def test_a_reason_of_several_lines_stays_in_its_line():
    step = Step("s-1", "count", "FAILED", reason="exit 1\nstep s-2 publish: COMPLETED")
    assert runs.event_line(StepChanged(step)) == r"step s-1 count: FAILED (exit 1\nstep s-2 publish: COMPLETED)"


@pytest.mark.parametrize(("seconds", "shown"), [(0.21, "0.2 s"), (725, "12 min 05 s"), (11220, "3 h 07 min")])
def test_hours_are_not_counted_in_seconds(seconds, shown):
    step = Step("s-1", "count", "COMPLETED", started=START, ended=START + timedelta(seconds=seconds))
    assert runs.step_line(step) == f"step s-1 count: COMPLETED in {shown}"


def test_times_are_in_utc_whatever_the_zone_that_boto3_has_them_in():
    at = datetime(2026, 11, 29, 20, 30, 5, tzinfo=timezone(timedelta(hours=-5)))
    cluster = Cluster("j-1", "nightly", "TERMINATED", created=at, ended=at)
    assert "  created  2026-11-30 01:30:05 UTC\n  ended    2026-11-30 01:30:05 UTC" in runs.status(cluster)
    for shown in (clusters.table([cluster]), staging.as_text([StagedFile("s3://a/b", "0", 1, at)], {})):
        head, line = shown.splitlines()
        assert head.find("(UTC)") > 0
        assert "2026-11-30 01:30" in line


def test_a_command_line_is_quoted_for_the_shell(monkeypatch):
    """The URL may be a spec's, and the line is made to be copied."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    emr = connect(Endpoint("emr", "us-east-1", endpoint_url="http://127.0.0.1:1/;id"))
    wanted = "flowspec wait j-1 --region us-east-1 --endpoint-url 'http://127.0.0.1:1/;id'"
    assert command_line("wait", emr, "j-1") == wanted
