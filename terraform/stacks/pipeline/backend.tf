# Filled in by the bootstrap stack: terraform init -backend-config=backend.hcl
# with bucket, key, region and kms_key_id. The lock is a file beside the state, so no table is needed.
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
