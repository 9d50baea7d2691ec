# The control plane: private, reachable from named addresses at most, its secrets encrypted, all its logs kept.

locals {
  log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
}

data "aws_partition" "current" {}

resource "aws_cloudwatch_log_group" "control_plane" {
  # checkov:skip=CKV_AWS_338:a year of audit logs is a choice of the installation: log_retention_days
  name              = "/aws/eks/${var.name}/cluster" # the name that EKS writes to; made here for its retention and key
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "cluster_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.cluster_trust.json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_eks_cluster" "this" {
  # checkov:skip=CKV_AWS_39:the public endpoint is off unless public_access_cidrs names who may reach it, never everybody
  # checkov:skip=CKV_AWS_339:checkov's list of versions is older than Kubernetes; the variable refuses what is out of support
  name                          = var.name
  role_arn                      = aws_iam_role.cluster.arn
  version                       = var.kubernetes_version
  enabled_cluster_log_types     = local.log_types
  bootstrap_self_managed_addons = false # the add-ons below are managed
  deletion_protection           = var.deletion_protection

  access_config {
    authentication_mode                         = "API" # access entries only: no aws-auth ConfigMap to lock oneself out with
    bootstrap_cluster_creator_admin_permissions = false # who administers stands in access entries, not in history
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.kms_key_arn
    }
  }

  upgrade_policy {
    support_type = "STANDARD" # upgraded at the end of standard support, never billed six times as much
  }

  vpc_config {
    subnet_ids              = var.private_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  depends_on = [
    aws_cloudwatch_log_group.control_plane,
    aws_iam_role_policy_attachment.cluster,
  ]
}
