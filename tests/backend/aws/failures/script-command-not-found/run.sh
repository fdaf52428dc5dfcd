#!/bin/bash
set -e
echo loading
yumm install -y jq
