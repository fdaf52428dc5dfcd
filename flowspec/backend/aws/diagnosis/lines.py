"""Classifies the lines of a log: messages of a program, exceptions that end it, stack frames, progress."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kind of a line of a log.

    FRAME: part of the line above, or of no use (stack frames, source lines, counters, shutdown).
    PROGRESS: the program went on. ERROR: logged at the level ERROR or FATAL, or by a logger that reports failed tasks.
    """

    MESSAGE = "message"
    EXCEPTION = "exception"
    ERROR = "error"
    FRAME = "frame"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log: its number, what it is, its text as written, and what it says without a logger's prefix."""

    number: int
    kind: Kind
    text: str
    says: str


# log4j as Hadoop, Spark and EMR's controller configure it: 2026-11-22 10:00:00,123 ERROR org.apache.X (main): …,
# 26/11/22 10:00:00 ERROR X: …, 2026-11-22T10:00:00.123Z WARN Step failed …
_STAMPED = re.compile(
    r"^(?:\d{4}|\d\d)[-/]\d\d[-/]\d\d[ T][\d:.,]+Z? +\[?(?P<level>[A-Z]+)\]? +"
    r"(?:(?P<logger>[\w.$]+)(?: \([^)]*\))?: )?(?P<says>.*)"
)
# Other programs: ERROR: …, INFO …, WARNING:root:…
_LEVEL = re.compile(r"^\[?(?P<level>DEBUG|INFO|NOTICE|WARN(?:ING)?|TRACE)\]?\b")
# Loggers whose warnings say that a task, a container or a step failed.
_TELLING = re.compile(
    r"(TaskSetManager|YarnAllocator|YarnSchedulerBackend\S*|YarnScheduler|LocalJobRunner|TaskAttempt\w*)$"
)
_STEP_FAILED = re.compile(r"^Step (failed|could not)")
# What Spark and Hadoop say while they stop, after the failure.
_STOPPING = re.compile(
    r"(ShutdownHookManager|SparkContext|MemoryStore|BlockManager\w*|SparkUI|MapOutputTracker\w*|AbstractConnector"
    r"|OutputCommitCoordinator\S*|JobSubmitter|mapreduce\.Job|YarnClientSchedulerBackend|YarnClusterSchedulerBackend"
    r"|DAGScheduler|TaskSchedulerImpl|YarnScheduler|ApplicationMaster|TaskSetManager|Executor|SparkHadoopUtil|BlockManager"
    r"|MetricsSystemImpl|ServerInfo|LocalJobRunner|TaskReaper|SchedulerExtensionServices)$"
)
_NOISE = re.compile(
    r"^(log4j:|SLF4J:|Streaming Command Failed!|Command exiting with ret|Try -help|Setting default log level"
    r"|WARNING: (Using incubator|An illegal|Illegal|Please|Use --illegal|All illegal)|To adjust logging level"
    r"|Picked up \w+JAVA_|JVM stacktrace:|Traceback \(most recent call last\):|During handling of the above"
    r"|The above exception was the direct|Driver stacktrace:)"
)
# Also YARN's message about a failed container or task, which Hadoop's client prints unchanged.
_ERROR = re.compile(r"\[?(ERROR|FATAL)\b|Container (\[pid=|killed |exited )|AttemptID:|Application application_")
_FRAME = re.compile(
    r'^\s+(at [\w.$/<>@]+|\.\.\. \d+ (more|elided)|File "|[\^~]|\[Previous line repeated)|^ {4,}|^\t\|- |^\t+.*=-?\d+$'
)
_COUNTERS = re.compile(r"^\t+[\w ]*(Counters|Framework|Errors)$")
_SAID_BEFORE = (
    r'(?:Exception in thread "[^"]*" |Caused by: |Error: |Suppressed: |: |Exit reason: |FAILED: )?'
    r"(?:java\.lang\.Exception: )?"
)
_EXCEPTION = re.compile(
    rf"^{_SAID_BEFORE}(?P<says>"
    r"(?:\w+\.)*[A-Z_][\w$]*(?:Error|Exception|Failure|Throwable|KeyboardInterrupt|StopIteration|SystemExit)(?::.*|$)"
    # The names of other exceptions: a Java class with its message, an error of botocore.
    r"|(?:[a-z]\w*\.)+(?:[A-Z]\w*\$?)+: .*|(?:[a-z_]\w*\.)+[A-Z]\w*: An error occurred \(.*)"
)


# Only so many characters of a line are searched: the message is at the beginning, and a line may be as long as a log.
# The time of the rules' patterns grows faster than the line (173 s for a line of 256 KiB).
_LONGEST = 2000


def classify(number: int, text: str) -> Line:
    """Returns a line with its kind."""
    kind, says = _kind(text[:_LONGEST].rstrip("\r"))
    return Line(number, kind, text, says)


def _kind(text: str) -> tuple[Kind, str]:
    if not text.strip() or _FRAME.search(text) or _COUNTERS.search(text) or _NOISE.search(text):
        return Kind.FRAME, text.strip()
    stamped = _STAMPED.match(text)
    if stamped:
        return _kind_of_logged(stamped["level"], stamped["logger"] or "", stamped["says"]), stamped["says"]
    text = text.strip()
    if _LEVEL.match(text):
        return Kind.PROGRESS, text
    exception = _EXCEPTION.match(text)
    if exception:
        return Kind.EXCEPTION, exception["says"]
    return (Kind.ERROR if _ERROR.match(text) else Kind.MESSAGE), text


def _kind_of_logged(level: str, logger: str, says: str) -> Kind:
    if level in {"ERROR", "FATAL"} or (level == "WARN" and (_TELLING.search(logger) or _STEP_FAILED.match(says))):
        return Kind.ERROR
    return Kind.FRAME if level == "INFO" and _STOPPING.search(logger) else Kind.PROGRESS
