#!/bin/bash
set -e
python3 -m pip install --no-index acme-pricing==1.4
