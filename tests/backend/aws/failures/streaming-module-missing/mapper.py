#!/usr/bin/env python3
import sys

import pandaz

pandaz.read(sys.stdin)
