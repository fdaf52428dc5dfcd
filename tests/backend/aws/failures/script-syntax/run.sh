#!/bin/bash
if [ -n "$1" ]
  echo yes
fi
