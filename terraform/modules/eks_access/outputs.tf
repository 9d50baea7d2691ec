output "groups" {
  description = "Role ARN -> Kubernetes groups, as they were entered."
  value       = { for arn, entry in aws_eks_access_entry.group : arn => entry.kubernetes_groups }
}
