"""The states of clusters, steps, instances and groups, as EMR's API names them.

Source: botocore, the shapes ClusterState, StepState, InstanceState, InstanceGroupState and
InstanceFleetState (a test compares them).
"""

from __future__ import annotations

# Clusters

READY = ("RUNNING", "WAITING")
"""The cluster's instances run, so groups may be changed."""

OPEN = ("STARTING", "BOOTSTRAPPING", *READY)
"""It accepts steps and changes."""

ALIVE = (*OPEN, "TERMINATING")
"""It has not ended."""

ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
"""It has ended; no state follows."""

# Steps

ACTIVE_STEPS = ("PENDING", "CANCEL_PENDING", "RUNNING")
"""The step has not ended. These count towards the limit of 256."""

ENDED_STEPS = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")
"""The step has ended; no state follows."""

# Groups and fleets

OF_CLUSTER = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "TERMINATING",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}
"""The state of a group or fleet without an operation of its own, by the state of its cluster.

An instance has the same, but is RUNNING while its cluster is TERMINATING: no instance is TERMINATING.
"""
