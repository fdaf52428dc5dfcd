#!/bin/bash
set -euo pipefail
echo counted
