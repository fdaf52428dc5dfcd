#!/usr/bin/env python3
import sys

sys.exit('no such customer: 17')
