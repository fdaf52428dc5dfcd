#!/usr/bin/env python3
def depth(n):
    return depth(n + 1) + 1


depth(0)
