#!/usr/bin/env python3
total = '12'
print(total + 3)
