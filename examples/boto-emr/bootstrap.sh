#!/bin/bash
# Runs on every node before Hadoop starts; on this machine only with --run-bootstrap.
set -e
sudo yum install -y "$@" jq
