#!/bin/bash
echo 'INFO retrying after Connection refused' >&2
echo 'INFO Permission denied for guests is expected: AccessDenied' >&2
for n in $(seq 30); do echo "INFO row $n compared" >&2; done
echo '3 rows differ' >&2
exit 2
