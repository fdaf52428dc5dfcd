#!/usr/bin/env python3
import sys

from acme_words import words

for line in sys.stdin:
    for word in words(line):
        print(f"{word}\t1")
