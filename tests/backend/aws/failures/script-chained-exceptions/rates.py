#!/usr/bin/env python3
try:
    {}['2026-11-22']
except KeyError as error:
    raise RuntimeError('no rates for 2026-11-22') from error
