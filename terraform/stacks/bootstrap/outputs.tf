output "state_bucket" {
  description = "Bucket of the states; each stack has its own key, STACK/terraform.tfstate."
  value       = aws_s3_bucket.state.bucket
}

output "state_kms_key_arn" {
  description = "Key that encrypts the states."
  value       = aws_kms_key.state.arn
}

output "region" {
  description = "Region of the bucket."
  value       = var.region
}

output "plan_role_arn" {
  description = "Role of workflows that plan; null without a repository."
  value       = one(aws_iam_role.plan[*].arn)
}

output "apply_role_arn" {
  description = "Role of workflows that apply; null without a repository."
  value       = one(aws_iam_role.apply[*].arn)
}

output "workload_boundary_arn" {
  description = "Boundary that roles of the sandbox must have."
  value       = aws_iam_policy.workload_boundary.arn
}

output "github_variables" {
  description = "Variables of the repository (none is secret): name -> value."
  value = local.ci == 0 ? {} : {
    AWS_APPLY_ROLE_ARN    = aws_iam_role.apply[0].arn
    AWS_PLAN_ROLE_ARN     = aws_iam_role.plan[0].arn
    AWS_REGION            = var.region
    RUNBOOK_BUS           = var.event_bus_name
    TF_STATE_BUCKET       = aws_s3_bucket.state.bucket
    WORKLOAD_BOUNDARY_ARN = aws_iam_policy.workload_boundary.arn
  }
}

output "github_repository" {
  description = "Repository whose workflows may deploy; empty: none."
  value       = var.github_repository
}
