"""request + Cluster | None -> Plan: what would happen, and why. Pure: no I/O, no backend, no engine.

    cluster      a cluster and its steps as values, and the tags of ours
    changes      the plan as values: changes, calls in order, files to upload; a backend's assessment of a request
    comparison   compares a request with what runs, member by member
    steps        which steps are to be added, cancelled, or left alone
    converge     differences -> calls of EMR in order, and lines of a plan (`lines`: what is made, appended or lost)
    runs         what a watcher does while a run lasts, and what a later run continues
    compare      all of it together (`make_plan`)
    identity     the tags that tell the next plan what the last apply did
    sensitive    finds the secrets of a cluster by its tags, without its spec
    findings     what a preflight found, as values
    saved        plans as files, and what makes one stale
    command_lines  the commands that outputs suggest

A plan is plain data, equal by value, and it is all that `backend.aws.submission.apply` needs: what is not in it
is not done. Without a running cluster, the plan is a submission. A long-running cluster is changed in place where
EMR can do that; the rest is a replacement, which is done only when it was asked for. A run that ends with its steps
is joined when it was made from the same request, and otherwise never changed.
"""
