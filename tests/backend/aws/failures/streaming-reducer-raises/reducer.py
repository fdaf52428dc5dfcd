#!/usr/bin/env python3
import sys

row = {}
for line in sys.stdin:
    print(row['shop'], line)
