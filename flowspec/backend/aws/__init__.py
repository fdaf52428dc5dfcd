"""All calls to EMR and S3. The only package that imports boto3, and only when a connection is made.

client         the connection: retries, calls that must not be retried; `ration` keeps published rates of calls
call_errors    the ways in which a call fails, as exceptions of flowspec
backend        the connection as a `Backend`
observe        reads clusters; `reads` shares the answers among plans that are made at one moment
live           a cluster as the request that would have made it
account        reads whose credentials these are, and the roles and buckets there
preflight      looks up whether what a plan names is there
submission     carries out a plan; uploads its files
watch          follows a run (`events`), or many in one loop (`shared`); `verdict` judges how it ended
runs           acts on a run while it is watched
spending       reads what the instances of a cluster have cost; `pricing` reads AWS's list of prices
permissions    the least IAM policies that a flow needs, made without a call
command_lines  the command lines that outputs suggest for a cluster
logs           reads a step's logs; `diagnosis` finds the cause of a failure in them
manage         works on clusters without a plan: lists, imports and resizes them, adds and cancels steps
s3             turns S3's refusals into errors of flowspec
models         the service models that clients are made from
query          EMR's query API of 2009, for boto 2's `https_connection_factory`
"""
