#!/usr/bin/env python3
words = set(open('stopwords.txt'))
