output "cluster_name" {
  description = "Name of the cluster; the token of the engine's function names it."
  value       = module.eks.name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = module.eks.arn
}

output "cluster_endpoint" {
  description = "Address of the API server."
  value       = module.eks.endpoint
}

output "cluster_certificate_authority" {
  description = "The API server's authority: PEM in base64."
  value       = module.eks.certificate_authority
}

output "vpc_id" {
  description = "The network."
  value       = module.vpc.vpc_id
}

output "private_subnet_ids" {
  description = "Subnets of the nodes, and of the function that talks to Kubernetes."
  value       = module.vpc.private_subnet_ids
}

output "engine_network" {
  description = "The variable `network` of stacks/pipeline: where the function that talks to Kubernetes lives, and what it reaches on port 443."
  value = {
    vpc_id          = module.vpc.vpc_id
    subnet_ids      = module.vpc.private_subnet_ids
    egress_cidrs    = var.nat == "none" ? [module.vpc.cidr] : ["0.0.0.0/0"] # APIs of AWS have no fixed addresses
    prefix_list_ids = module.vpc.gateway_prefix_list_ids
  }
}

output "engine_adapter" {
  description = "An entry of adapters.cluster in engine.yaml, for the function."
  value = yamlencode([{
    adapter    = "kubernetes"
    place      = module.eks.name
    auth       = "eks"
    region     = var.region
    eksCluster = module.eks.name
    server     = module.eks.endpoint
    caData     = module.eks.certificate_authority
  }])
}

output "engine_access" {
  description = "Role -> Kubernetes groups. Empty until stacks/pipeline has made the role and this stack was applied again."
  value       = module.access.groups
}

output "runner_role_arn" {
  description = "Role of the in-cluster runner's pods."
  value       = module.runner.role_arn
}

output "external_dns_enabled" {
  description = "Whether external-dns has a role, so that scripts/install-addons.sh installs it."
  value       = length(var.dns_zone_ids) > 0
}

output "region" {
  description = "Region of the cluster."
  value       = var.region
}

output "kubeconfig_command" {
  description = "Writes the entry for kubectl."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.name} --alias ${module.eks.name}"
}

output "public_access_cidrs" {
  description = "Who may reach the API server from outside."
  value       = var.public_access_cidrs
}

output "administrators" {
  description = "Roles that administer the cluster."
  value       = var.administrators
}
