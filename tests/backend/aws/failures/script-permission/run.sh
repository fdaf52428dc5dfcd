#!/bin/bash
set -e
echo 'echo hi' > part.sh
./part.sh
