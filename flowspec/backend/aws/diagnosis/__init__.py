"""Finds the probable cause of a failed run in EMR's answers and in the logs.

diagnose    gathers EMR's reasons and the logs, and returns a `Diagnosis`; waits for logs that are not shipped yet
search      finds the line of a log that shows the cause
lines       distinguishes the kinds of lines: messages, exceptions, stack frames, progress
rules       the known causes as data (`rule`): the words that identify each, what it means, what to try
commands    describes the command of a streaming job that failed: its task, its input, and how to run it alone
containers  finds the YARN containers of a step and which of their logs to read
"""
