#!/bin/sh
# A tool that was shipped without the right to run it.
cat > tool
./tool 2> /dev/null
