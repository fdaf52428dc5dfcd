#!/bin/bash
set -e
tar xf libraries.tar.gz
