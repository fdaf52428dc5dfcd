#!/usr/bin/env python3
import sys

for line in sys.stdin.buffer:
    print(line.decode('utf-8').upper())
