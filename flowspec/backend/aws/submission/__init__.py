"""Carries out a plan: calls in order, under the cluster's lock, each submission once in effect.

apply         submits a request, or changes a cluster, by its plan
change        the calls that change a cluster that lives on
cancellation  cancels steps, and tells which of them EMR does not cancel
submit        sends a call that EMR may carry out although its answer is lost
lock          the tag that lets applies of one cluster take turns
uploads       has the backend put local files where steps read them
staging       uploads local files to S3, each once
"""
