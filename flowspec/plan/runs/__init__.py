"""Plans what a watcher does while a run lasts, and what a later run continues.

supervision  policies of steps: timeouts, retries, exit codes that are no failures
launches     further launches where capacity was missing, or a launch failed
unattended   changes of the settings that are not in the request: policies, hooks, alternatives, budget
resume       which steps of a request the last runs of its flow did not complete
"""
