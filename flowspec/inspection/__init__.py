"""A run of EMR, ended or not -> what is known of it, for people who look at it then or later.

reading        reads a run (`run_facts`): its cluster and steps, how it ended and why
timeline       when its parts began and ended; `bootstrap`: when the bootstrap actions did
details        the steps that are worth a look, with their counters and the ends of their logs (`tails`)
baseline       the last run of the same flow that succeeded, and what was different then
named_secrets  what names say is secret, though no spec does
"""
