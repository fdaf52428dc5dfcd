#!/bin/bash
set -e
echo "building the index"
bash -c 'kill -KILL $$'
