#!/bin/bash
set -e
amazon-linux-extras-2 enable python3.8
