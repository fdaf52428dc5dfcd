#!/usr/bin/env Rscript
cat(readLines('stdin'))
