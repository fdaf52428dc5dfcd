"""request + Cluster | None -> Plan: what would happen, and why. Pure: nothing is asked, nothing is changed.

    cluster    a cluster and its steps as values
    changes    the plan as values: changes, calls in order, files to upload
    compare    compares a request with the cluster that runs (`make_plan`)

A plan is plain data, equal by value, and it is all that `flowspec.backend.aws.apply` needs: what is not in it
is not done. For a flow of which nothing runs, the plan is a submission. A running cluster made from
the same request (the digest in its tags says so) is joined: there is nothing to do. One made from
another request would have to be replaced, which is done only when it was asked for.
"""
