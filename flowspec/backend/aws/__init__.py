"""All calls to EMR and S3. The only package that imports boto3, and only when a connection is made.

client         the connection: retries, and calls that must not be retried; `ration` limits the rate of calls
call_errors    turns failures of calls into flowspec's exceptions
backend        the connection as a `Backend`
observe        reads clusters; `reads` shares one list of clusters among plans that are made at the same time
live           reconstructs the request that would create a cluster as it is now
account        reads the identity of the credentials, and the roles and buckets of the account
preflight      checks that what a plan names exists
submission     carries out a plan; uploads its files
watch          follows a run (`events`), or many in one loop (`shared`); `verdict` judges how it ended
runs           acts on a run while it is watched
spending       reads what the instances of a cluster have cost; `pricing` reads AWS's list of prices
permissions    computes the least-privilege IAM policies of a flow, offline
command_lines  the command lines that outputs suggest for a cluster
logs           reads a step's logs; `diagnosis` finds the cause of a failure in them
manage         works on clusters without a plan: lists, imports and resizes them, adds and cancels steps
s3             turns S3's refusals into errors of flowspec
models         loads the service models that clients are made from
query          EMR's query API of 2009, for boto 2's `https_connection_factory`
"""
