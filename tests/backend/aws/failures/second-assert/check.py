#!/usr/bin/env python3
rows = 0
assert rows > 0, 'no rows were written'
