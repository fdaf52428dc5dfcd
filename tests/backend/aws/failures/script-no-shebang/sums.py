import sys

total = sum(float(line) for line in open(sys.argv[1]))
print("total", total)
