"""Terraform modules: HCL and its expressions -> the request of its aws_emr_cluster.

module         the cluster of a module, a plan or a state, and what belongs to it -> the request
request        the arguments of its resources -> members of the request, by tables
shown          what `terraform show -json` writes -> resources
instances      a configuration -> its resources with their values, those of called modules included
provider       the configuration of a provider -> region, profile and the tags that it adds
configuration  the files of a folder -> its declarations; the values of its variables
blocks         `count`, `for_each` and `dynamic` carried out
evaluate       expressions -> values, or placeholders; `functions` on known values, `special` on expressions and files
decoding       texts in JSON, YAML and CSV -> values
values         Terraform's types: conversions and comparison
context        what all of these share: variables, notes, files, the work that is spent
hcl            text -> `syntax`, the tree of blocks and expressions
"""
