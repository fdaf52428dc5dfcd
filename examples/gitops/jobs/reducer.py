#!/usr/bin/env python3
"""Reducer, and combiner: adds up the counts of each word. Its input is sorted by word."""

import sys
from itertools import groupby


def pairs(lines):
    for line in lines:
        word, _, count = line.rstrip("\n").partition("\t")
        yield word, int(count)


for word, group in groupby(pairs(sys.stdin), key=lambda pair: pair[0]):
    print(f"{word}\t{sum(count for _, count in group)}")
