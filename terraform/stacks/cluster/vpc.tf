# The network: two or three zones, private nodes, one NAT gateway, free endpoints for DynamoDB and S3.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394:a new zone comes last by name, so the first ones stay; var.zones pins them by name
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"] # no local zones: EKS needs full ones
  }
}

module "vpc" {
  source = "../../modules/vpc"

  name         = var.name
  cidr         = var.vpc_cidr
  zones        = coalesce(var.zones, slice(sort(data.aws_availability_zones.available.names), 0, var.zone_count))
  nat          = var.nat
  cluster_name = var.name
  kms_key_arn  = aws_kms_key.cluster.arn

  depends_on = [aws_kms_key.cluster]
}
