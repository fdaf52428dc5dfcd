#!/usr/bin/env python3
import argparse

parser = argparse.ArgumentParser()
parser.add_argument('--day')
parser.parse_args()
