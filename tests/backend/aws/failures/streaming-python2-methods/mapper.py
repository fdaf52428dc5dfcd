#!/usr/bin/env python3
import sys

counts = {}
for line in sys.stdin:
    counts[line] = counts.get(line, 0) + 1
for word, count in counts.iteritems():
    print(word, count)
