"""Files that commands write: all of it or nothing, and no path that the user did not give."""

import os

import pytest

from flowspec.cli.drafts import write_whole

REQUEST = '{"Name": "nightly", "ReleaseLabel": "emr-7.5.0", "Instances": {"InstanceCount": 1}}'


@pytest.mark.parametrize("output", ["job.yaml", "link"])
@pytest.mark.parametrize("command", ["plan job.yaml -o", "report job.yaml -o", "test job.yaml --junit"])
def test_no_output_replaces_a_spec(flowspec, job, tmp_path, command, output):
    (tmp_path / "link").symlink_to("job.yaml")
    path = job("  - {name: one, type: command, args: [date]}")
    before = path.read_text().replace("flowspec:", '"flowspec":')
    path.write_text(before)
    done = flowspec(*command.split(), output)
    assert (done.code, f"{output} is a spec, which would be lost: name another file" in done.err) == (2, True), done.err
    assert path.read_text() == before


@pytest.fixture
def request_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "request.json").write_text(REQUEST)
    return "request.json"


@pytest.mark.parametrize("place", ["missing/job.yaml", "link"])
def test_an_error_names_the_file_that_was_given(flowspec, request_file, tmp_path, place):
    (tmp_path / "link").symlink_to("missing/other")
    done = flowspec("import", request_file, "-o", place)
    assert done.code == 1
    assert done.err.startswith(f"error: {place}: ")
    assert (tmp_path / "link").is_symlink()


def test_a_folder_is_no_file_for_a_draft(flowspec, request_file, tmp_path):
    done = flowspec("import", request_file, "-o", str(tmp_path), "--force")
    assert done.code == 2
    assert "is a directory" in done.err


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(flowspec, request_file, tmp_path):
    (tmp_path / "link").symlink_to("job.yaml")
    assert flowspec("import", request_file, "-o", "link").code == 0
    assert flowspec("import", request_file, "-o", "link").code == 2
    assert flowspec("import", request_file, "-o", "link", "--force").code == 0
    assert (tmp_path / "link").is_symlink()
    assert "name: nightly" in (tmp_path / "job.yaml").read_text()


def test_a_link_in_a_circle_is_replaced(flowspec, request_file, tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    assert flowspec("import", request_file, "-o", "circle").code == 0
    assert "name: nightly" in (tmp_path / "circle").read_text()


def test_a_device_is_written_to_and_stays(flowspec, request_file, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert flowspec("import", request_file, "-o", "pipe").code == 0
    assert b"name: nightly" in os.read(reader, 1 << 16)
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


# A disk may be full when its content is synced, or when its folder is changed.
@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_what_was_there_stays_where_a_file_can_not_be_written_whole(tmp_path, monkeypatch, failing):
    file = tmp_path / "report.html"
    file.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, fail)
    with pytest.raises(OSError, match=r"No space left on device: .*report\.html"):
        write_whole(file, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.html", "old")]
