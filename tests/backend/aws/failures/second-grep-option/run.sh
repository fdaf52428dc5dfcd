#!/bin/bash
set -e
ls -% /tmp
