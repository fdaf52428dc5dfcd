#!/bin/bash
cat /not/there || true
no-such-program || true
echo 'WARN: Connection refused, retried' >&2
for n in $(seq 20); do echo "row $n" >&2; done
