"""Calculates what a cluster costs: the estimate of a request by the hour, its budget, and the cost of instances.

Amounts are ranges in USD, by the offline table of `facts.prices`. What the table does not have is named in each
result, and is never counted as free.
"""
