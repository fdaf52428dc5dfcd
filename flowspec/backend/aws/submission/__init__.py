"""Carries out a plan: its calls in order, under the cluster's lock, so that each submission takes effect once.

apply         submits a request, or changes a cluster, by its plan
change        the calls that change a running cluster
cancellation  cancels steps, and reports which of them EMR does not cancel
submit        sends a call that EMR may carry out although its answer is lost
lock          the lock of a cluster, kept in a tag
uploads       has the backend put local files where steps read them
staging       uploads local files to S3, each once
"""
