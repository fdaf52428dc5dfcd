#!/bin/bash
set -e
printf 'a b\n' | awk '{ total += $2; if (total > } END { print total }'
