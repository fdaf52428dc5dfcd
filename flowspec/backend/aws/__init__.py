"""All calls to EMR and S3. The only package that imports boto3, and only when a connection is made.

client      the connection: retries, calls that must not be retried, errors
observe     reads clusters; `reads` shares the answers among plans that are made at one moment
preflight   looks up whether what a plan names is there
submission  carries out a plan; uploads its files
watch       follows a run (`events`); `verdict` judges how it ended; `runs` acts on it meanwhile
logs        reads a step's logs; `diagnosis` finds the cause of a failure in them
manage      works on clusters without a plan: lists, imports and resizes them, adds and cancels steps
models      the service models that clients are made from
query       EMR's query API of 2009, for boto 2's `https_connection_factory`
"""
