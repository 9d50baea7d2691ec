output "state_machine_arn" {
  description = "ARN of the driver."
  value       = aws_sfn_state_machine.driver.arn
}

output "drive_function_arn" {
  description = "ARN of the function that performs the steps."
  value       = module.runbook_action.arn
}

output "drive_role_arn" {
  description = "Role of that function: what an access entry of a cluster maps to the engine's Kubernetes group."
  value       = module.runbook_action.role_arn
}

output "security_group_id" {
  description = "Security group of that function, to which the cluster's own must open port 443; null outside a VPC."
  value       = one(aws_security_group.this[*].id)
}

output "function_names" {
  description = "Names of the functions, for alarms."
  value = {
    runbook-action = module.runbook_action.name
    sweep          = module.sweep.name
  }
}

output "dead_letter_queues" {
  description = "Names of the queues of calls that failed for good."
  value       = { sweep = module.sweep_dead_letters.name }
}

output "bundle_bucket" {
  description = "Bucket for bundles; null when they come in the zip."
  value       = one(aws_s3_bucket.bundles[*].id)
}

output "bundle_environment" {
  description = "What tells every function where the bundle is."
  value = var.bundle == null ? { RUNBOOK_BUNDLE = "bundle.msgpack" } : {
    RUNBOOK_BUNDLE        = "s3://${local.bundle_bucket}/${var.bundle.key}"
    RUNBOOK_BUNDLE_DIGEST = var.bundle.digest
  }
}

output "bundle_policies" {
  description = "What a function needs that loads bundles from the bucket; empty when they come in the zip."
  value       = data.aws_iam_policy_document.read_bundle[*].json
}
