"""What a cluster costs: an estimate of a request by the hour, its budget, and the cost of instances that ran.

Amounts are ranges in USD, by the offline table of `facts.prices`. What the table does not have is named in each
result, and is never counted as free.
"""
