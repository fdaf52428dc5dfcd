#!/bin/bash
set -eu
echo "day $DAY"
