"""The cause of a failure, cut from what EMR says and from the step's logs."""

from datetime import datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.diagnosis.commands import describe_failed_command
from flowspec.backend.aws.diagnosis.containers import READ
from flowspec.backend.aws.diagnosis.diagnose import diagnose
from flowspec.backend.aws.diagnosis.search import lines_of
from flowspec.backend.aws.logs import PATIENCE, Shipped
from flowspec.backend.aws.verdict import Outcome, Verdict, judge
from flowspec.errors import ServiceError
from flowspec.plan.cluster import Cluster, Step
from tests.backend.aws.failures.cases import LogPlaces, load


class KeptLogs(LogPlaces):
    """Logs in memory: a behaving stand-in for the live files and for S3."""

    def __init__(self, live=True, **logs):
        self.live, self.logs = live, logs

    def blocks(self, step_id, name, start=0):
        log = self.logs.get(name)
        return log and iter([log[start:]])

    def tail(self, step_id, name, size):
        log = self.logs.get(name)
        return log and log[-size:]

    def read(self, path):
        log = self.logs.get(path, self.logs.get(path.rpartition("/")[2]) if path.startswith("steps/") else None)
        return log and iter([log])

    def list_logs(self, folder, most):
        return []


def failed(logs, secrets=(), log_uri="s3://logs/", **details):
    step = Step("s-1", "count", "FAILED", **details)
    cluster = Cluster(
        "j-1",
        "flow",
        "TERMINATED_WITH_ERRORS",
        "STEP_FAILURE",
        "Shut down as step failed",
        steps=(step,),
        log_uri=log_uri,
    )
    return diagnose(cluster, judge(cluster), logs, secrets)


def test_what_emr_says_comes_first():
    found = failed(KeptLogs(), reason="Unknown Error.", message="exit 3", log_file="s3://logs/x")
    assert found.facts == (
        "STEP_FAILURE: Shut down as step failed",
        "step 'count' (s-1) is FAILED",
        "Unknown Error.",
        "exit 3",
    )
    assert found.logs == "s3://logs/j-1/steps/s-1/"


KILLED = "java.lang.RuntimeException: PipeMapRed.waitOutputThreads(): subprocess failed with code 137"


@pytest.mark.parametrize(
    ("syslog", "told"),
    [
        (
            f"Caused by: {KILLED}\n{{}} ERROR LocalJobRunner: map task 0 failed on s3://b/in (mapper: m.sh)",
            "a map task",
        ),
        (f"Caused by: {KILLED}\n{{}} ERROR LocalJobRunner: reduce task 3 failed (reducer: r.sh)", "a reduce task"),
        (
            f"{{}} INFO Job: Task Id : attempt_1763805600000_0003_m_000000_3, Status : FAILED\nError: {KILLED}",
            "a map task",
        ),
        (
            f"{{}} INFO Job: Task Id : attempt_1763805600000_0003_r_000000_3, Status : FAILED\nError: {KILLED}",
            "a reduce task",
        ),
        (f"Error: {KILLED}", ""),
    ],
)
def test_the_task_of_a_killed_command_is_named(syslog, told):
    cause = failed(KeptLogs(syslog=syslog.replace("{}", "2026-11-28 05:37:01,492").encode())).cause
    assert cause.id == "process-killed"
    assert cause.summary.partition("It was the command of ")[2].partition(":")[0] == told


ENDED = "java.lang.RuntimeException: PipeMapRed.waitOutputThreads(): subprocess failed with code"
EMBEDDED = (
    f"Caused by: {ENDED} {{code}}\n"
    "2026-11-28 05:37:01,492 ERROR LocalJobRunner: map task 0 failed on s3://b/in, bytes 0 to 9 (mapper: m.sh)\n"
    "2026-11-28 05:37:01,492 ERROR LocalJobRunner: to run the mapper alone: head -c 9 /h/in | /h/m.sh"
)
ON_YARN = (
    "2026-11-28 05:37:01,492 INFO Job: Task Id : attempt_1763805600000_0003_{kind}_000000_3, Status : FAILED\n"
    f"Error: {ENDED} {{code}}"
)


@pytest.mark.parametrize(
    ("syslog", "args", "id_", "told", "repeat"),
    [
        (
            EMBEDDED.format(code=3),
            ("-mapper", "m.sh"),
            "command-failed",
            "A command of the streaming job ended with exit code 3. It was the command of a map task: the mapper "
            "`m.sh`. Its input was s3://b/in, bytes 0 to 9. No log that was read says why.",
            "head -c 9 /h/in | /h/m.sh",
        ),
        (
            ON_YARN.format(kind="r", code=3),
            ("-files", "s3://b/1/m.sh,s3://b/2/count.sh#r.sh", "-mapper", "m.sh", "-reducer", "r.sh -n"),
            "command-failed",
            "A command of the streaming job ended with exit code 3. It was the command of a reduce task: the reducer "
            "`r.sh -n`. No log that was read says why.",
            "LC_ALL=C sort FILE | ./r.sh -n, where FILE is output of the mapper",
        ),
        (
            ON_YARN.format(kind="m", code=1),
            ("-mapper", "grep north", "-combiner", "c.sh"),
            "command-failed",
            "the mapper `grep north`, or the combiner `c.sh`. grep ends with 1 where no line matches",
            "grep north < FILE, where FILE is a part of the input",
        ),
        (
            ON_YARN.format(kind="r", code=1),
            ("-mapper", "grep north", "-reducer", "sum.sh"),
            "command-failed",
            "the reducer `sum.sh`. No log",
            "LC_ALL=C sort FILE | sum.sh, where FILE is output of the mapper",
        ),
        (
            ON_YARN.format(kind="m", code=3),
            ("-file", "a.py", "-file", "b.py", "-mapper", "a.py", "-mapper", "b.py"),
            "command-failed",
            "the mapper `a.py`. No log",
            "./a.py < FILE, where FILE is a part of the input",
        ),
        (ON_YARN.format(kind="m", code=152), (), "command-failed", "152 is 128 + 24: signal SIGXCPU.", ""),
        (ON_YARN.format(kind="m", code=126), (), "command-not-executable", "126 is what a shell", ""),
        (ON_YARN.format(kind="m", code=141), (), "process-broken-pipe", "141 is SIGPIPE", ""),
    ],
)
def test_what_is_known_of_a_command_that_says_nothing_is_told(syslog, args, id_, told, repeat):
    cause = failed(KeptLogs(syslog=syslog.encode()), args=args).cause
    assert cause.id == id_
    assert told in cause.summary
    assert cause.advice.partition("; to run it alone: ")[2] == repeat


def test_the_split_is_read_from_the_log_with_the_same_exit_code():
    logs = [f"Processing split: s3://b/{code}:0+9\n{ENDED} {code}" for code in (126, 1)]
    assert "Its input was s3://b/1, " in describe_failed_command(f"{ENDED} 1", (), 0, (), logs).told


def test_the_split_of_a_failed_map_task_is_read_from_its_container():
    cause = load("written-streaming-exit-code").diagnosed().cause
    assert "the mapper, or the combiner. Its input was s3://acme-texts/stories/part-0.gz, 4096 bytes" in cause.summary
    step = Step("s-1", "count", "FAILED", args=("-mapper", "mapper.py"))
    cluster = Cluster("j-1", "flow", "TERMINATED", steps=(step,), log_uri="s3://logs/")
    found = diagnose(cluster, Verdict(Outcome.STEP_FAILED, step), load("written-streaming-exit-code").logs)
    assert found.cause.advice.endswith(
        "run it alone: aws s3 cp s3://acme-texts/stories/part-0.gz - | gzip -dc | mapper.py"
    )


def test_the_split_is_that_of_a_task_that_failed_with_this_code():
    logs = [
        f"Processing split: s3://b/{name}:0+9\nError: {ENDED} {code}" for name, code in (("killed", 13), ("$(x)", 1))
    ]
    line = f"Error: {ENDED} 1"
    found = describe_failed_command(
        line, lines_of(line), 0, ("-mapper", "m.sh"), [one.replace("s3:", "s3n:") for one in logs]
    )
    assert found.repeat == "aws s3 cp 's3://b/$(x)' - | m.sh"


def test_the_other_steps_that_failed_are_named():
    states = ("FAILED", "COMPLETED", "FAILED", "FAILED", "CANCELLED", "FAILED", "FAILED", "FAILED")
    # Two steps of a flow may have one name; what runs the same under it is another attempt.
    same = {5: ("n2", ("other",)), 6: ("n2", ())}
    named = [(*same.get(number, (f"n{number}", ())), state) for number, state in enumerate(states)]
    steps = tuple(Step(f"s-{i}", name, state, args=args) for i, (name, args, state) in enumerate(named))
    cluster = Cluster("j-1", "flow", "WAITING", steps=steps)
    found = diagnose(cluster, Verdict(Outcome.STEP_FAILED, steps[2]), KeptLogs())
    assert found.facts[-1] == (
        "also FAILED: 'n3' (s-3), 'n2' (s-5), 'n7' (s-7); for its cause: `flowspec diagnose` with --step s-3"
    )
    assert "also FAILED" not in str(diagnose(cluster, Verdict(Outcome.STEP_FAILED, steps[-1]), KeptLogs()).facts)


@pytest.mark.parametrize(
    ("code", "reason", "step_reason", "cause"),
    [
        ("USER_REQUEST", "Terminated by user request", "", ("cancelled", "Nothing failed: the cluster was terminated")),
        ("ALL_STEPS_COMPLETED", "Steps completed", "", ("cancelled", "Nothing failed: a step was cancelled.")),
        (
            "ALL_STEPS_COMPLETED",
            "Steps completed",
            "it ran longer than its timeout of 5 s",
            ("step-timeout", "The step"),
        ),
    ],
)
def test_what_was_cancelled_has_not_failed(code, reason, step_reason, cause):
    steps = (Step("s-1", "count", "COMPLETED"), Step("s-2", "sum", "CANCELLED", reason=step_reason))
    cluster = Cluster("j-1", "flow", "TERMINATED", code, reason, steps=steps, log_uri="s3://logs/")
    killed = b"2026-11-28T20:11:55.692Z WARN Step failed with exitCode 143 and took 6 seconds\n"
    found = diagnose(cluster, judge(cluster), KeptLogs(live=False, controller=killed))
    assert (found.cause.id, found.cause.summary[: len(cause[1])]) == cause
    assert not found.logs_may_follow


@pytest.mark.parametrize(
    ("state", "added"),
    [
        ("WAITING", ("if `flowspec steps add` added the step: run that command again, with --rerun failed",)),
        # It takes no more steps.
        ("TERMINATED", ()),
    ],
)
def test_the_advice_on_a_cancelled_step_brings_back_one_that_the_spec_does_not_have(state, added):
    step = Step("s-1", "more", "CANCELLED")
    cluster = Cluster(
        "j-1", "flow", state, "", "Cluster ready after last step cancelled.", keep_alive=True, steps=(step,)
    )
    found = diagnose(cluster, Verdict(Outcome.CANCELLED, step), KeptLogs())
    of_spec = "to run what is left of the spec's own steps: flowspec apply SPEC --rerun failed"
    assert found.advice == (of_spec, *added)
    # The reason for the state of a cluster that goes on is not about the step.
    assert ("Cluster ready after last step cancelled." in found.facts) == (state == "TERMINATED")


def test_the_last_traceback_of_a_long_stderr():
    stderr = b"noise\n" * 500 + b"Traceback (most recent call last):\n" + b'  File "m.py"\n' * 40 + b"ValueError: no\n"
    words = failed(KeptLogs(stderr=stderr)).excerpts["stderr"]
    assert len(words) == 12
    assert (words[0], words[-1]) == ("Traceback (most recent call last):", "ValueError: no")


def test_the_telling_lines_of_the_syslog():
    syslog = b"1 INFO Job: fine\n2 ERROR StreamJob: Job not successful!\nCaused by: java.io.IOException: no\n"
    found = failed(KeptLogs(syslog=syslog))
    assert found.excerpts == {
        "syslog": ("2 ERROR StreamJob: Job not successful!", "Caused by: java.io.IOException: no")
    }


def test_a_message_is_shown_once_whatever_wraps_it():
    syslog = (
        b"java.lang.Exception: java.io.IOException: no\nCaused by: java.io.IOException: no\n2 ERROR StreamJob: bad\n"
    )
    assert failed(KeptLogs(syslog=syslog)).excerpts["syslog"] == (
        "java.lang.Exception: java.io.IOException: no",
        "2 ERROR StreamJob: bad",
    )


def test_bytes_that_are_not_utf_8_are_no_trouble():
    assert failed(KeptLogs(stderr=b"caf\xe9\n")).excerpts["stderr"] == ("caf�",)


def test_logs_that_have_not_been_shipped_yet():
    assert failed(KeptLogs(live=False)).logs_may_follow


@pytest.mark.parametrize(
    ("logs", "summary"),
    [
        (KeptLogs(), "there are no logs to look in"),
        (KeptLogs(stderr=b""), "the logs are empty"),
    ],
    ids=["gone", "empty"],
)
def test_logs_that_are_gone_are_told_from_empty_ones(logs, summary):
    assert failed(logs, message="exit 3").cause.summary == f"Not known, and {summary}."


def test_no_logs_are_promised_without_a_log_uri():
    found = failed(KeptLogs(live=False), log_uri="")
    assert not found.logs_may_follow
    assert found.advice[-1].startswith("give the spec a `log_uri`")
    assert not any("log_uri" in one for one in failed(KeptLogs(live=True), log_uri="").advice)


def test_a_cluster_that_failed_without_a_step():
    details = ("INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ: no m5.xlarge",)
    cluster = Cluster("j-1", "flow", "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", "no capacity", details)
    found = diagnose(cluster, judge(cluster), KeptLogs())
    assert found.facts == (*details, "INTERNAL_ERROR: no capacity")


def test_the_last_words_of_a_bootstrap_action():
    reason = "On the master instance (i-0abc), bootstrap action 2 returned a non-zero return code"
    cluster = Cluster("j-1", "flow", "TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", reason)
    found = diagnose(
        cluster, judge(cluster), KeptLogs(**{"node/i-0abc/bootstrap-actions/2/stderr": b"no such package\n"})
    )
    assert found.excerpts == {"stderr": ("no such package",)}
    assert found.logs == "s3://logs/j-1/"


class UnreadableLogs(KeptLogs):
    """The S3 of these logs gives stderr, and refuses all else."""

    def read(self, path):
        if path != "steps/s-1/stderr":
            raise ServiceError("GetObject", "AccessDenied", "s3://logs/x: no", remedy="ask for access")
        return super().read(path)


def test_logs_that_cannot_be_read_do_not_hide_what_emr_says():
    found = failed(UnreadableLogs(live=False, stderr=b"bad\n"), message="exit 3")
    assert "exit 3" in found.facts
    assert found.excerpts == {"stderr": ("bad",)}
    assert found.unread == "GetObject: AccessDenied: s3://logs/x: no; ask for access"
    assert not found.logs_may_follow
    nothing = failed(UnreadableLogs(live=False), message="exit 3")
    assert nothing.cause.summary == "Not known, and the logs could not be read."


def test_a_bootstrap_log_that_cannot_be_read():
    reason = "On the master instance (i-0abc), bootstrap action 2 returned a non-zero return code"
    cluster = Cluster("j-1", "flow", "TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", reason)
    found = diagnose(cluster, judge(cluster), UnreadableLogs())
    assert found.facts == (f"BOOTSTRAP_FAILURE: {reason}",)
    assert found.unread.startswith("GetObject: AccessDenied")


def test_excerpts_show_no_secret_not_even_the_rest_of_one():
    # One line, longer than what is looked at (256 KiB), with a secret where that begins.
    stderr = b"hunter2secret" + b"x" * (256 * 1024 - 6)
    (line,) = failed(KeptLogs(stderr=stderr), {"hunter2secret"}).excerpts["stderr"]
    assert line == "x" * (256 * 1024 - 6)


def test_excerpts_show_no_line_of_a_secret():
    key = "\n".join(["-----BEGIN KEY-----", *(f"MIIEow{number}" for number in range(30)), "-----END KEY-----"])
    found = failed(KeptLogs(stderr=f"bad key:\n{key}\nno\n".encode()), {key})
    assert found.excerpts["stderr"] == ("bad key:", "(sensitive)", "no")


THEN = datetime(2026, 11, 22, tzinfo=timezone.utc)


class Clock:
    """A clock that only sleeping moves, and what is shipped at which second."""

    def __init__(self, shipped_after, **logs):
        self.passed, self.slept, self.shipped_after, self.late = 0.0, [], shipped_after, logs
        self.reader = KeptLogs(live=False)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.passed += seconds
        if self.passed >= self.shipped_after:
            self.reader.logs.update(self.late)

    def now(self):
        return THEN + timedelta(seconds=self.passed)


def waited(clock, log_uri="s3://logs/", **options):
    step = Step("s-1", "count", "FAILED", ended=THEN)
    cluster = Cluster("j-1", "flow", "TERMINATED_WITH_ERRORS", steps=(step,), log_uri=log_uri)
    return diagnose(cluster, judge(cluster), clock.reader, sleep=clock.sleep, now=clock.now, **options)


def test_logs_that_are_shipped_late_are_waited_for():
    clock, notes = Clock(200, stderr=b"cat: x: No such file or directory\n"), []
    found = waited(clock, patience=PATIENCE, notify=notes.append)
    assert found.cause.id == "file-missing"
    assert not found.logs_may_follow
    assert clock.slept == [5, 10, 20, 40, 60, 60, 60]
    assert notes == ["waiting up to 330 s for the logs, which EMR ships about every five minutes; Ctrl-C ends it"]


def test_the_wait_is_bounded():
    clock = Clock(10_000)
    assert waited(clock, patience=PATIENCE).logs_may_follow
    assert sum(clock.slept) == PATIENCE


def test_nothing_is_waited_for_in_vain():
    long_ago = Clock(0)
    long_ago.passed = PATIENCE
    for clock, options in [
        (long_ago, {"patience": PATIENCE}),
        (Clock(10), {}),
        (Clock(10), {"patience": PATIENCE, "log_uri": ""}),
    ]:
        waited(clock, **options)
        assert clock.slept == []


def test_the_controller_log_comes_before_the_others():
    clock = Clock(15, stderr=b"no\n")
    clock.reader.logs["controller"] = b"INFO startExec\n"
    waited(clock, patience=PATIENCE)
    assert clock.slept == [5, 10]


class ManyContainers(KeptLogs):
    """Logs of an application with more containers than anyone reads."""

    def __init__(self, **logs):
        super().__init__(live=False, **logs)
        self.reads, self.lists = [], []

    def read(self, path):
        self.reads.append(path)
        return super().read(path) if path.startswith("steps/") else iter([b"INFO nothing\n"])

    def list_logs(self, folder, most):
        self.lists.append(folder)
        names = [f"{folder}container_1763805600000_0001_01_{number:06d}/stderr" for number in range(1, 5000)]
        return [Shipped(path, 1000 + number) for number, path in enumerate(names)][:most]


def test_the_number_of_logs_that_are_read_is_bounded():
    applications = "".join(f"Submitted application application_1763805600000_{number:04d}\n" for number in range(50))
    logs = ManyContainers(stderr=applications.encode() + b"container_1763805600000_0001_01_000777 was lost\n")
    failed(logs)
    assert logs.lists == [f"containers/application_1763805600000_{number:04d}/" for number in (49, 48)]
    containers = [path.split("/")[2] for path in logs.reads if path.startswith("containers/")]
    assert len(containers) == READ
    # The one that is named, the first, and those that wrote most.
    assert [name[-6:] for name in containers[:4]] == ["000777", "000001", "001000", "000999"]
    assert len(logs.reads) == 4 + READ


def test_containers_that_may_not_be_listed_hide_nothing():
    class Unlistable(ManyContainers):
        def list_logs(self, folder, most):
            raise ServiceError("ListObjectsV2", "AccessDenied", "no", remedy="list it")

    found = failed(Unlistable(stderr=b"application_1763805600000_0001\ncat: x: No such file or directory\n"))
    assert found.cause.id == "file-missing"
    assert found.unread.startswith("ListObjectsV2: AccessDenied")


def test_the_number_of_a_line_counts_what_is_not_looked_at():
    stderr = b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 9_999 + b"cat: x: No such file or directory\n"
    cause = failed(KeptLogs(stderr=stderr)).cause
    assert (cause.line, cause.end_line) == (10_001, 10_001)


def test_no_number_where_masking_took_lines_away():
    found = failed(KeptLogs(stderr=b"a\nb\ncat: x: No such file or directory\n"), {"a\nb"})
    assert (found.cause.id, found.cause.line) == ("file-missing", 0)


def test_what_emr_says_of_a_cluster_that_failed_comes_before_the_logs():
    step = Step("s-1", "count", "FAILED")
    reason = "Spot instance interruption: all core instances were terminated"
    cluster = Cluster("j-1", "flow", "TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", reason, steps=(step,))
    stderr = b"java.net.ConnectException: Connection refused\n"
    assert diagnose(cluster, judge(cluster), KeptLogs(stderr=stderr)).cause.id == "spot-loss"
    assert failed(KeptLogs(stderr=stderr)).cause.id == "connection-refused"
