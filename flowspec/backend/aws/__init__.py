"""All calls to EMR and S3. The only package that imports boto3, and only when a connection is made.

client      the connection: retries, calls that must not be retried, errors
observe     reads clusters
submission  carries out a plan; uploads its files
watch       follows a run (`events`); `verdict` judges how it ended; `runs` acts on it meanwhile
logs        reads a step's logs; `diagnosis` finds the cause of a failure in them
query       EMR's query API of 2009, for boto 2's `https_connection_factory`
"""
