# This stack makes the bucket that its own state moves to: scripts/bootstrap.sh applies it once with a local state (an
# override file that is not committed), then migrates that state here. By hand: see docs/deploying.md.
terraform {
  backend "s3" {
    use_lockfile = true
    # Not encrypt: it would ask for the key of S3 instead of the bucket's own, and the bucket refuses that.
  }
}
