#!/usr/bin/env python3
"""Mapper: one line for each line of a web server's log, which Hadoop's `aggregate` adds up by status."""

import sys

for line in sys.stdin:
    status = line.rsplit('"', 1)[-1].split()[0]
    print(f"LongValueSum:{status}\t1")
