#!/bin/bash
set -e
echo plain > rates.gz
gunzip rates.gz
