# Who may speak to the cluster: people who administer it, and roles that are mapped to Kubernetes groups.
#
# The way of a Lambda function: execution role -> access entry -> Kubernetes group -> RBAC. Access policies of EKS are
# too wide for an engine (Edit reads secrets) and too narrow at once (no eviction), hence groups.

resource "aws_eks_access_entry" "administrator" {
  for_each = var.administrators

  cluster_name  = var.cluster_name
  principal_arn = each.key
  type          = "STANDARD"
}

resource "aws_eks_access_policy_association" "administrator" {
  for_each = var.administrators

  cluster_name  = var.cluster_name
  principal_arn = aws_eks_access_entry.administrator[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

resource "aws_eks_access_entry" "group" {
  for_each = var.groups

  cluster_name      = var.cluster_name
  principal_arn     = each.key
  kubernetes_groups = each.value
  type              = "STANDARD"
}

data "aws_partition" "current" {}
