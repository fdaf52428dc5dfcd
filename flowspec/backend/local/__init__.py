"""The embedded EMR as a backend: what differs on this machine from a cluster on AWS."""
