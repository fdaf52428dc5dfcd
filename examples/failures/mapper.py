#!/usr/bin/env python3
"""Adds up the takings of each shop: fails at the first line that has no number."""

import sys

for line in sys.stdin:
    shop, amount = line.split(",")
    print(f"LongValueSum:{shop}\t{int(amount)}")
