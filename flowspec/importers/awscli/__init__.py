"""Scripts with `aws emr create-cluster`: the shell text, the command's options, the request sent."""
