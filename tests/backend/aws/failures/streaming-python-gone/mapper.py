#!/usr/bin/env python2.6
import sys
sys.stdout.writelines(sys.stdin)
