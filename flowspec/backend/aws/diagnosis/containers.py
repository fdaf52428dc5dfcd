"""Finds the logs of a step's YARN containers, written by a driver in cluster mode or by the tasks of a job.

EMR ships their logs to <log_uri>/<cluster>/containers/<application>/<container>/{stdout,stderr,syslog}.gz (Management
Guide, "View log files"). The step's own logs name the application. A job may have thousands of containers, so only a
few are read: those that the step's logs name, the first container, and those with the longest stderr. The first one is
the application master, which in cluster mode is Spark's driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flowspec.backend.aws.logs import Logs, Shipped

# Objects that are read, and listed per application (one call of ListObjectsV2 gives 1,000).
READ, LISTED = 9, 1000
# A step may run several applications; the last one failed it.
_APPLICATIONS = 2
_APPLICATION = re.compile(r"\b(?:application|job)_(\d{9,}_\d{4,})\b")
_CONTAINER = re.compile(r"\bcontainer_(?:e\d+_)?\d+_\d+_\d+_\d+\b")
_FIRST = re.compile(r"container_(?:e\d+_)?\d+_\d+_\d+_0+1/")
# The size of the gzip file of an empty log, with the file's name in it.
_EMPTY = 64
_NAMES = ("stderr", "stdout", "syslog")


def container_logs(logs: Logs, texts: Iterable[str]) -> list[str]:
    """Returns the paths (in EMR's layout) of at most READ container logs, the most useful first.

    `texts` are the step's logs. Raises ServiceError when the bucket can't be listed.
    """
    logs_read = list(texts)
    applications = list(dict.fromkeys(reversed([found for text in logs_read for found in _APPLICATION.findall(text)])))
    named = {container for text in logs_read for container in _CONTAINER.findall(text)}
    chosen: list[str] = []
    for application in applications[:_APPLICATIONS]:
        chosen += _sort_telling_logs(logs.list_logs(f"containers/application_{application}/", LISTED), named)
    return chosen[:READ]


def _sort_telling_logs(shipped: Sequence[Shipped], named: set[str]) -> list[str]:
    telling = [one for one in shipped if one.size > _EMPTY and one.path.rpartition("/")[2].startswith(_NAMES)]
    return [one.path for one in sorted(telling, key=lambda one: _sort_key(one, named))]


def _sort_key(one: Shipped, named: set[str]) -> tuple[bool, bool, int, int]:
    container, _, name = one.path.rpartition("/")
    kind = next(number for number, known in enumerate(_NAMES) if name.startswith(known))
    mentioned = container.rpartition("/")[2] in named
    return (not mentioned, not _FIRST.search(f"{one.path}"), kind, -one.size)
