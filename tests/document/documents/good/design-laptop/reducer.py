#!/usr/bin/env python3
# reduces
