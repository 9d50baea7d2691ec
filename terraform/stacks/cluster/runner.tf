# AWS rights of the in-cluster runner. To its own API server it needs none: its ServiceAccount is enough.

module "runner" {
  source = "../../modules/pod_identity"

  cluster_name    = module.eks.name
  cluster_arn     = module.eks.arn
  namespace       = var.runner.namespace
  service_account = var.runner.service_account
  role_name       = "${var.name}-runner"
  policies        = var.runner.policy == null ? {} : { permissions = var.runner.policy }
}
