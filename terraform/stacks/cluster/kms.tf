# One key for what the cluster keeps: Kubernetes secrets, the control plane's logs, the flow logs.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:a key policy speaks of its own key only; the account's IAM policies decide from here
  # checkov:skip=CKV_AWS_111:the same
  # checkov:skip=CKV_AWS_356:the same: "*" in a key policy is this key
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values = [
        "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:/aws/eks/${var.name}/cluster",
        "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:/aws/vpc/${var.name}/flow",
      ]
    }
  }
}

resource "aws_kms_key" "cluster" {
  description             = "${var.name}: Kubernetes secrets and logs of the cluster"
  enable_key_rotation     = true
  deletion_window_in_days = 30 # what is encrypted with it is lost with it
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "cluster" {
  name          = "alias/${var.name}-cluster"
  target_key_id = aws_kms_key.cluster.key_id
}
