"""The pages of the embedded EMR's endpoint: all clusters at `/`, each with its steps and logs, as they are now.

Read-only: the pages show the same facts as the API, and the logs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from itertools import islice

from flowspec.backend.aws.client import Emr, Endpoint
from flowspec.backend.aws.logs import NAMES, logs_of
from flowspec.backend.aws.observe import describe, summaries
from flowspec.backend.aws.reads import Answers
from flowspec.backend.local.backend import connect_to
from flowspec.document.escaping import harmless, visible
from flowspec.document.masking import lookback_length, mask_bytes
from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import Response
from flowspec.errors import FlowspecError, number_of
from flowspec.facts.ids import CLUSTER_ID, STEP_ID
from flowspec.inspection.reading import read_run
from flowspec.plan.cluster import Cluster
from flowspec.plan.sensitive import known_secrets, without_secrets
from flowspec.report.page.html import policy, render_page
from flowspec.report.page.view import kind_of, run_view, shown_duration
from flowspec.report.times import utc_text

_MOST_CLUSTERS = 200
# A page reloads itself after so many seconds, or after so many times the CPU time that it took to make. With a failed
# step's log of 200 MB that time is half a second, and an open page should not use a quarter of a core.
_LIVE, _PAUSE = 2, 20
# Bytes of a whole log: a browser takes seconds for more.
_MOST_LOG = 4 << 20
_CLUSTER = re.compile(rf"/clusters/({CLUSTER_ID.pattern})")
_LOG = re.compile(rf"{_CLUSTER.pattern}/steps/({STEP_ID.pattern})/({'|'.join(NAMES)})")
# No other page may frame a page, read it, or have it take a file for something that it is not.
_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def respond_with_page(service: Service, path: str) -> Response | None:
    """Answers a GET of `path` with a page, a log as text, or an error; None for an unknown path."""
    emr = _connect(service)
    try:
        if path == "/":
            return _html(_clusters_page(emr))
        if found := _CLUSTER.fullmatch(path):
            return _html(_cluster_page(emr, found[1]))
        if found := _LOG.fullmatch(path):
            return _log(emr, *found.groups())
    except FlowspecError as error:
        return _response(404, "text/plain", visible(error.sentence).encode())
    return None


@lru_cache(8)
def _connect(service: Service) -> Emr:
    """Connects to a service, once: it takes 0.15 s, and a live page is read every two seconds."""
    return connect_to(service, Endpoint("local", service.region, home=service.home))


def _html(page: str) -> Response:
    return _response(200, "text/html", page.encode("utf-8", "replace"))


def _response(status: int, kind: str, body: bytes) -> Response:
    headers = {
        "Content-Type": f"{kind}; charset=utf-8",
        "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
    }
    return Response(status, {**headers, **_HEADERS}, body)


def _clusters_page(emr: Emr) -> str:
    clusters = list(islice(summaries(emr), _MOST_CLUSTERS + 1))
    shown = clusters[:_MOST_CLUSTERS]
    running = sum(not one.has_ended for one in shown)
    values = {
        "clusters": [_row(one, _name(emr, one)) for one in shown],
        "counted": f"{number_of(len(shown), 'cluster')} in region {emr.region}; {running} active.",
        "left_out": "Older ones are not on this page." if len(clusters) > len(shown) else "",
    }
    return render_page("clusters.html", values, site=True, live=_LIVE)


def _name(emr: Emr, cluster: Cluster) -> str:
    """Returns the name of a cluster of the list, masked if it is secret, which only its tags tell."""
    return _names(emr).of(cluster.id, lambda: without_secrets(describe(emr, cluster.id, steps=False)).name)


@lru_cache(8)
def _names(_: Emr) -> Answers[str]:
    """Keeps the names of clusters, which never change: the list of 200 is read every two seconds."""
    return Answers()


def _row(cluster: Cluster, name: str) -> dict[str, str]:
    end = cluster.ended or datetime.now(timezone.utc)
    return {
        "id": cluster.id,
        "name": visible(name),
        "state": cluster.state,
        # After a failed step, a cluster may just be TERMINATED.
        "kind": kind_of("FAILED" if cluster.reason_code == "STEP_FAILURE" else cluster.state),
        "reason": visible(cluster.reason),
        "created": utc_text(cluster.created),
        "took": shown_duration(max(0.0, (end - cluster.created).total_seconds()) if cluster.created else None),
    }


def _cluster_page(emr: Emr, cluster_id: str) -> str:
    start = time.thread_time()
    run = read_run(emr, cluster_id)
    view = run_view(run, site=True)
    # The page of an ended cluster is not reloaded; a waiting cluster may get new steps.
    live = 0 if run.cluster.has_ended else max(_LIVE, round(_PAUSE * (time.thread_time() - start)))
    return render_page("run.html", view, secrets=run.secrets, site=True, live=live)


def _log(emr: Emr, cluster_id: str, step_id: str, name: str) -> Response | None:
    cluster = describe(emr, cluster_id)
    if step_id not in {step.id for step in cluster.steps}:
        return None
    secrets = known_secrets(cluster)
    found = logs_of(emr, cluster).tail(step_id, name, _MOST_LOG + lookback_length(secrets))
    if found is None:
        return None
    text = mask_bytes(found, secrets, max(0, len(found) - _MOST_LOG)).decode("utf-8", "replace")
    return _response(200, "text/plain", harmless(text, commands=True).encode("utf-8", "replace"))
