"""Calculates what a cluster costs: the hourly estimate of a request, its budget, and the cost of instances.

Amounts are ranges in USD, by the offline table of `facts.prices`. A result names what the table does not have; such
things are never counted as free.
"""
