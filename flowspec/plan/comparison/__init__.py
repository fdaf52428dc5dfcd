"""Compares a request with what runs, member by member.

differences  a difference as a value
fields       compares the members of a request; each has a row in `facts.mutability`
groups       compares instance groups (fleets: instance fleets)
forms        tells whether two spellings of a value mean the same to EMR
"""
