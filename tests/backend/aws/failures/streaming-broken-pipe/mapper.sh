#!/bin/sh
exec head -n 1
