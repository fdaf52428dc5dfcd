#!/bin/bash
echo 'the report has 143 rows; exit 137 of the report is the last' >&2
exit 9
