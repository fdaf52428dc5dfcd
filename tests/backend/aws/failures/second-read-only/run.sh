#!/bin/bash
set -e
echo 1 > /proc/version
