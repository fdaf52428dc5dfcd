#!/usr/bin/env python3
import sys

with open('/dev/full', 'w') as spill:
    spill.writelines(sys.stdin)
