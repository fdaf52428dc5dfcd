"""Collects what is known of a run of EMR, during the run or later.

reading        reads a run (`run_facts`): its cluster and steps, how it ended and why
timeline       when its parts began and ended; `bootstrap`: when the bootstrap actions did
details        the steps that are shown in detail, with their counters and the ends of their logs (`tails`)
baseline       the last run of the same flow that succeeded, and what was different then
named_secrets  finds values whose names say that they are secret
"""
