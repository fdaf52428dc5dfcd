#!/usr/bin/env python3
import sys
import traceback

try:
    open('/etc/quota-of-yesterday')
except OSError:
    traceback.print_exc()
for number in range(40):
    print(f'checked {number}', file=sys.stderr)
sys.exit('quota file is stale')
