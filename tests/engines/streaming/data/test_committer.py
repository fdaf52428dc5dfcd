"""Work folders of tasks, and what is seen in the output when."""

import pytest

from flowspec.engines.streaming.data.committer import Committer


@pytest.mark.parametrize("version", [1, 2])
def test_each_task_begins_with_an_empty_folder_of_its_own(tmp_path, version):
    committer = Committer(tmp_path / "out", version=version)
    committer.setup()
    for number in range(3):
        attempt = f"attempt_local1_0001_r_{number:06d}_0"
        work = committer.make_work_path(attempt)
        assert work == committer.work_path(attempt)
        assert not list(work.iterdir())
        (work / f"part-{number:05d}").write_bytes(b"x")
        (work / "side").mkdir()
        (work / "side" / str(number)).touch()
        committer.commit_task(attempt)
        seen = (tmp_path / "out" / f"part-{number:05d}").exists()
        assert seen == (version == 2)
    for number in (3, 4):
        failed = committer.make_work_path(f"attempt_local1_0001_r_{number:06d}_0")
        (failed / f"part-{number:05d}").write_bytes(b"x")
        committer.abort_task(failed.name)
    committer.commit_job()
    names = [*(f"part-0000{number}" for number in range(3)), "side"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_SUCCESS", *names]
    assert sorted(path.name for path in (tmp_path / "out" / "side").iterdir()) == ["0", "1", "2"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("last", ["side/file", "side"])
def test_what_the_last_task_wrote_replaces_what_is_of_another_kind(tmp_path, version, last):
    committer = Committer(tmp_path / "out", version=version)
    committer.setup()
    for number, name in enumerate(sorted(["side", "side/file"], key=last.__eq__)):
        file = committer.make_work_path(f"attempt_local1_0001_r_{number:06d}_0") / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        committer.commit_task(f"attempt_local1_0001_r_{number:06d}_0")
    committer.commit_job()
    files = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {str(path) for path in files} == {"_SUCCESS", last}
