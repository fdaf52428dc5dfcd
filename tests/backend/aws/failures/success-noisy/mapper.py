#!/usr/bin/env python3
import sys
import traceback

for line in sys.stdin:
    try:
        int(line)
    except ValueError:
        traceback.print_exc()
    print(line, end='')
print('ERROR: Permission denied is what we would say', file=sys.stderr)
for number in range(20):
    print(f'compared line {number}', file=sys.stderr)
