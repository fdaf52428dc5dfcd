"""Finds what keeps specs from running here or on AWS, each with its remedy: `flowspec doctor`.

check       a check's outcome; runs checks in parallel, each with a time limit
needs       what a spec needs: programs of this machine, roles, buckets
machine     checks of this machine: Python, packages, git, the home, Java, Spark, Hadoop
account     checks of AWS: credentials, region, roles, buckets
examine     all of them
"""
