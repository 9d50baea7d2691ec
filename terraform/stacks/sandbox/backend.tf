# Filled in by the workflows (.github/actions/terraform), or by hand as docs/sandbox.md shows: bucket, key and region.
terraform {
  backend "s3" {
    use_lockfile = true
    # Not encrypt: it would ask for the key of S3 instead of the bucket's own, and the bucket refuses that.
  }
}
