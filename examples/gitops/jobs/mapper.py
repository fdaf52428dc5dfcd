#!/usr/bin/env python3
"""Mapper: one line `word TAB 1` for each word; words are runs of letters, in lower case."""

import re
import sys

WORD = re.compile(r"[a-z]+")

lines = words = 0
for line in sys.stdin:
    found = WORD.findall(line.lower())
    sys.stdout.writelines(f"{word}\t1\n" for word in found)
    lines += 1
    words += len(found)

# Hadoop Streaming's counter protocol: what stands here is added up over all tasks.
print(f"reporter:counter:Word count,lines,{lines}", file=sys.stderr)
print(f"reporter:counter:Word count,words,{words}", file=sys.stderr)
