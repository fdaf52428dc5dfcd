"""request + Cluster | None -> Plan: what would happen, and why. Pure: no I/O, no backend, no engine.

    cluster    a cluster and its steps as values
    changes    the plan as values: changes, calls in order, files to upload; a backend's assessment of a request
    compare    compares a request with the running cluster (`make_plan`)

A plan is plain data, equal by value, and it is all that `flowspec.backend.aws.apply` needs: what is not in it
is not done. Without a running cluster, the plan is a submission. A running cluster with the same digest in
its tags was made from the same request and is joined: there is nothing to do. One with another digest would
have to be replaced, which is done only when it was asked for.
"""
