"""Why a run failed: from what EMR says and its logs to one probable cause.

diagnose    gathers EMR's reasons and the logs, and returns a `Diagnosis`; waits for logs that are not shipped yet
search      finds the line of a log that tells the cause
lines       tells the kinds of lines apart: messages, exceptions, stack frames, progress
rules       the known causes as data (`rule`): the words by which each is known, what it means, what to try
containers  finds the YARN containers of a step and which of their logs to read
"""
