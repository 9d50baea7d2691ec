output "alert_webhook_url" {
  description = "Where senders post alerts: append /SCOPE."
  value       = module.ingest.alert_webhook_url
}

output "approvals_url" {
  description = "Base of the approval pages."
  value       = module.ingest.approvals_url
}

output "step_functions_arn" {
  description = "ARN of the driver."
  value       = module.runbook_engine.state_machine_arn
}

output "event_bus_arn" {
  description = "ARN of the bus."
  value       = module.event_bus.arn
}

output "event_bus_name" {
  description = "Name of the bus."
  value       = module.event_bus.name
}

output "event_archive_arn" {
  description = "ARN of the archive, for a replay."
  value       = module.event_bus.archive_arn
}

output "incidents_table_name" {
  description = "Name of the table that is the journal."
  value       = module.incident_store.name
}

output "incidents_table_arn" {
  description = "ARN of the table that is the journal."
  value       = module.incident_store.arn
}

output "oncall_topic_arn" {
  description = "ARN of the topic of the on-call."
  value       = module.notify.topic_arn
}

output "alert_ingest_function_arn" {
  description = "ARN of the function that takes alerts in, for a direct alarm action."
  value       = module.ingest.ingest_function_arn
}

output "runbook_action_function_arn" {
  description = "ARN of the function that performs the steps."
  value       = module.runbook_engine.drive_function_arn
}

output "runbook_action_role_arn" {
  description = "Role of that function: what the access entry of the cluster maps to the engine's Kubernetes group."
  value       = module.runbook_engine.drive_role_arn
}

output "runbook_action_security_group_id" {
  description = "Security group of that function, to which the cluster's own opens port 443; null outside a VPC."
  value       = module.runbook_engine.security_group_id
}

output "function_names" {
  description = "Names of the functions."
  value       = merge(module.ingest.function_names, module.runbook_engine.function_names)
}

output "audit_log_group_name" {
  description = "Log group that holds every event."
  value       = module.event_bus.audit_log_group_name
}

output "bundle_bucket" {
  description = "Bucket for bundles; null when they come in the zip."
  value       = module.runbook_engine.bundle_bucket
}

output "kms_key_arn" {
  description = "Key of all that is at rest."
  value       = local.key_arn
}

output "alarm_prefix" {
  description = "Beginning of the names of the engine's own alarms."
  value       = module.observability.alarm_prefix
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = module.observability.dashboard_name
}
