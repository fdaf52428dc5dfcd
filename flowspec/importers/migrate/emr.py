"""Answers the EMR calls of a recorded script with the emulator's service; no step is run.

A cluster advances only when the script looks at it: first it is RUNNING, then its steps are COMPLETED and it
is WAITING, or TERMINATED unless it is kept alive. A cluster of the account, which the script did not create, gets a
stand-in, so that the script goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from flowspec.emulator.api.service import OPERATIONS, Service
from flowspec.emulator.in_process import attach
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Record, Store
from flowspec.facts.api_model import Json
from flowspec.facts.states import READY
from flowspec.importers.migrate import samples
from flowspec.importers.placeholders import replace_texts

# Only these advance a cluster: a script may list instance groups in order to change them, and then add steps.
_LOOKS = ("DescribeCluster", "ListClusters", "DescribeStep", "ListSteps", "DescribeJobFlows")
# A script that looks at a waiting cluster this often does nothing but wait for its end.
_MANY_LOOKS = 200
_IDS = ("ClusterId", "JobFlowId", "ResourceId", "JobFlowIds")
_STAND_IN = {
    "Name": "exists already",
    "Instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True},
}


CHOSEN_REGION = "flowspec_chosen_region"
"""The attribute of a client that has the region which the script itself has chosen; None if it chose none."""


class EmrAnswers:
    """Answers the calls of botocore's EMR clients from an emulator in the folder `home`."""

    def __init__(self, home: Path, write: Callable[..., None]) -> None:
        self._home = home
        self._write = write
        self._services: WeakKeyDictionary[Any, Service] = WeakKeyDictionary()
        self._stand_ins: dict[str, str] = {}

    def answer(self, client: Any, operation: str, params: Json, send: Callable[[Json], Json]) -> Json:
        """Answers a call and records it; `send` is botocore's own way, which validates and serializes it.

        Raises what botocore raises, ClientError for what EMR refuses; a refused call is recorded as such.
        """
        from botocore.exceptions import ClientError

        region = getattr(client, CHOSEN_REGION, None) or ""
        if operation not in OPERATIONS:
            self._write(service="emr", operation=operation, params=params, id="", region=region)
            made: Json = samples.answer(client.meta.service_model.operation_model(operation).output_shape, "emr")
            return made
        service = self._service_of(client)
        given = self._with_stand_ins(service, _region(client), params)
        if operation in _LOOKS:
            self._advance()
        try:
            answer = send(given)
        except ClientError as error:
            refused = error.response["Error"].get("Message", "")
            self._write(service="emr", operation=operation, params=params, id="", region=region, refused=refused)
            raise
        cluster_id = answer.get("JobFlowId") or self._cluster_of_groups(given)
        self._write(service="emr", operation=operation, params=params, id=cluster_id, region=region)
        original: Json = replace_texts(answer, {ours: theirs for theirs, ours in self._stand_ins.items()})
        return original

    def _service_of(self, client: Any) -> Service:
        if client not in self._services:
            from botocore import UNSIGNED

            service = Service(self._home, region=_region(client), start_worker=_mark_running, account_rules=False)
            attach(client, service)
            # A profile that the script names has no credentials here.
            client.meta.events.register("choose-signer.emr", lambda **_: UNSIGNED)
            self._services[client] = service
        return self._services[client]

    def _with_stand_ins(self, service: Service, own_region: str, params: Json) -> Json:
        """Returns the parameters, with the ids of stand-ins for the clusters that the script did not create."""
        named = {str(one) for key in _IDS for one in _as_list(params.get(key))}
        with Store(self._home) as store:
            found = {one: store.get("cluster", one) for one in sorted(named)}
        # A cluster is found from each region: fakes of two regions in one script are mostly a default left out.
        service.region = next((one.region for one in found.values() if one), own_region)
        for one in (name for name, record in found.items() if record is None):
            if one not in self._stand_ins:
                self._stand_ins[one] = service.call("RunJobFlow", _STAND_IN)["JobFlowId"]
        renamed: Json = replace_texts(params, self._stand_ins) if named & self._stand_ins.keys() else params
        return renamed

    def _cluster_of_groups(self, params: Mapping[str, Any]) -> str:
        """Returns the cluster of the groups that a call names; boto 2 names none in ModifyInstanceGroups."""
        named = [str(group.get("InstanceGroupId")) for group in params.get("InstanceGroups", [])]
        with Store(self._home) as store:
            found = [group for name in named if (group := store.get("group", name))]
        return found[0].cluster_id if found else ""

    def _advance(self) -> None:
        with Store(self._home) as store, store.writing():
            for cluster in store.find("cluster"):
                _advance(store, cluster)


def _mark_running(home: Path, cluster_id: str, lock: int) -> None:
    """Stands in for starting a worker: the cluster is RUNNING at once, so that its groups may be changed."""
    os.dup(lock)  # The emulator takes a cluster whose lock nobody holds for dead.
    with Store(home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        assert cluster is not None, "a worker is started after its cluster is stored"
        lifecycle.set_state(store, cluster, "RUNNING", "Running step")


def _advance(store: Store, cluster: Record) -> None:
    """Moves a cluster on by one look; from the second on, its steps are over."""
    looks = cluster.doc["looks"] = cluster.doc.get("looks", 0) + 1
    if looks == 1 and cluster.state in READY:
        store.save(cluster)
        return
    if cluster.state in READY and looks > _MANY_LOOKS:
        lifecycle.begin_termination(store, cluster, "USER_REQUEST", "Terminated by flowspec migrate")
    while started := lifecycle.next_actions(store, cluster, ()).start:
        for step in started:
            lifecycle.on_step_exit(store, cluster, step, succeeded=True, failure={})
    if cluster.state == "TERMINATING":
        lifecycle.end(store, cluster)
    else:
        store.save(cluster)


def _region(client: Any) -> str:
    return str(client.meta.region_name or "us-east-1")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
