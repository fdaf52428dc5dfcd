#!/bin/bash
set -o pipefail
cat > /dev/null
yes | head -n 1
