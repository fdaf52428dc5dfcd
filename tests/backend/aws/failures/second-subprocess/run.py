#!/usr/bin/env python3
import subprocess

subprocess.run(['sh', '-c', 'hivee -e 1'], check=True)
