# Filled in by scripts/bootstrap.sh: bucket, key and region come from the outputs of stacks/bootstrap.
terraform {
  backend "s3" {
    use_lockfile = true
    # Not encrypt: it would ask for the key of S3 instead of the bucket's own, and the bucket refuses that.
  }
}
