#!/bin/bash
set -e
python3 -m pip install --no-index pandas==99
