# Compiled runbooks in S3, loaded by key and digest: a new bundle is a new key and a new digest, never an overwritten one.

locals {
  bundle_bucket = "${var.name}-bundles-${local.account}"
}

# Who reads a bundle is in CloudTrail.
#trivy:ignore:AWS-0089
resource "aws_s3_bucket" "bundles" {
  #checkov:skip=CKV_AWS_18:Who reads a bundle is in CloudTrail; a bucket for access logs would cost more than it tells
  #checkov:skip=CKV_AWS_144:A bundle is built from git and can be built again in another region
  #checkov:skip=CKV2_AWS_62:Nobody needs to be told of a new bundle: a deployment names its digest
  count = var.create_bundle_bucket ? 1 : 0

  bucket = local.bundle_bucket
}

resource "aws_s3_bucket_versioning" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  bucket = aws_s3_bucket.bundles[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  bucket = aws_s3_bucket.bundles[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.bundles[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  bucket = aws_s3_bucket.bundles[0].id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90 # longer than any execution runs
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.bundles]
}

data "aws_iam_policy_document" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  statement {
    sid       = "OnlyEncryptedTransport"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.bundles[0].arn, "${aws_s3_bucket.bundles[0].arn}/*"] # every object of this one bucket

    principals {
      type        = "AWS"
      identifiers = ["*"] # everybody is denied, not allowed
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "bundles" {
  count = var.create_bundle_bucket ? 1 : 0

  bucket = aws_s3_bucket.bundles[0].id
  policy = data.aws_iam_policy_document.bundles[0].json

  depends_on = [aws_s3_bucket_public_access_block.bundles]
}

data "aws_iam_policy_document" "read_bundle" {
  count = var.create_bundle_bucket ? 1 : 0

  statement {
    sid       = "Bundle"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.bundles[0].arn}/*"] # every bundle: a running execution keeps the one it began with
  }
}
