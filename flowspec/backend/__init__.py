"""Where a plan is carried out: `aws` (EMR through boto3) or `local` (the embedded EMR of this machine)."""
