"""Facts about EMR, each once, with its source. It imports nothing else of flowspec but `errors`.

    api_model           the shapes of EMR's API, from botocore's service model, without a session; one walker along them
    recommended         the values that `defaults: recommended` stands for
    limits              the numbers: how many, how large, how long
    rules/              the rules about a RunJobFlow request, for `validate` and for the embedded EMR, with EMR's words
    releases            the labels of EMR's releases and the applications in them, from a dated table
    streaming_options   the options of Hadoop Streaming's command line
    instance_types      the EC2 instance types that EMR offers
    pythons             the Python versions of the releases, and the wheels that their systems can load
    prices              the hourly prices of EC2, EMR and EBS, by tables that `price_table` reads and writes
    regions             the AWS regions that have EMR, and the partitions of AWS that they are in
    rates               the published rate limits of EMR's operations
    mutability          the members of RunJobFlow that can be changed on a running cluster, each with its operation
    job_flows           the answer of DescribeJobFlows, from those of the calls that replaced it
    states              the states of clusters, steps, instances and groups
    ids                 the forms of the ids of clusters and steps; names of roles in ARNs
    uris                S3 URIs, and lists of paths with commas
    backends            the backends that a target may name, and the properties that specs depend on
    machine             the cores that this process may use, and the memory that is left
    folders             the folder in which flowspec keeps a user's data between commands
    files               locks on files, and files that are replaced whole

To add a rule: a check in `rules/` with `refused` or `doubtful`, its words for users in
`flowspec.document.checking.rules.wording`, its title in `flowspec.document.catalog`, its page in
`flowspec/document/pages`, and a spec that breaks it in `tests/emulator/test_rules.py`.
"""
