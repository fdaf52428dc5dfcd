"""The one door to boto3: everything that is said to EMR and S3, and everything that is heard.

`client` opens a connection and knows its manners; `observe` reads what is alive; `apply` does what a plan
says (`staging` brings its files along); `watch` follows a run, `verdict` judges it, `logs` and `diagnose`
say why it failed. `shapes` asks botocore's model about a request, offline. boto3 itself is imported
when a connection is made, so that what needs none does not pay for it.
"""
