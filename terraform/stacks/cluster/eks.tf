# The cluster, who may speak to it, and the way of the engine's function to its API server.

module "eks" {
  source = "../../modules/eks"

  name                = var.name
  kubernetes_version  = var.kubernetes_version
  private_subnet_ids  = module.vpc.private_subnet_ids
  public_access_cidrs = var.public_access_cidrs
  kms_key_arn         = aws_kms_key.cluster.arn
  log_retention_days  = var.log_retention_days
  architecture        = var.architecture
  instance_types      = var.instance_types
  capacity_type       = var.capacity_type
  nodes               = var.nodes
  addon_versions      = var.addon_versions
  deletion_protection = var.deletion_protection
}

locals {
  runbook_action_role_name = coalesce(var.runbook_action_role_name, "${var.name}-runbook-action")
}

# stacks/pipeline needs this stack's network, so its role comes later: it is looked up, and entered once it exists.
# An entry for a role that does not exist is refused by EKS.
data "aws_iam_roles" "runbook_action" {
  name_regex = "^${replace(local.runbook_action_role_name, "/[+.]/", "\\$0")}$"
}

module "access" {
  source = "../../modules/eks_access"

  cluster_name   = module.eks.name
  administrators = var.administrators
  groups         = { for arn in data.aws_iam_roles.runbook_action.arns : arn => [var.engine_group] }
}

# The function's own security group belongs to stacks/pipeline. A rule that named it would tie the two stacks together in
# both directions, and neither could be destroyed; so the private subnets are let in, where the function lives. Who may
# do what is for the API server to say, which asks everybody for a token.
resource "aws_vpc_security_group_ingress_rule" "api_server" {
  security_group_id = module.eks.security_group_id
  description       = "The API server, for the function in the private subnets"
  cidr_ipv4         = module.vpc.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
