output "alert_webhook_url" {
  description = "Where senders post alerts: append /SCOPE."
  value       = "${aws_apigatewayv2_api.this.api_endpoint}/hooks"
}

output "approvals_url" {
  description = "Base of the approval pages (RUNBOOK_APPROVE_URL)."
  value       = "${aws_apigatewayv2_api.this.api_endpoint}/approvals"
}

output "api_id" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.this.id
}

output "ingest_function_arn" {
  description = "ARN of the function that takes alerts in, for a direct alarm action."
  value       = module.alert_ingest.arn
}

output "function_names" {
  description = "Names of the functions, for alarms."
  value = {
    alert-ingest = module.alert_ingest.name
    approve      = module.approve.name
  }
}

output "role_arns" {
  description = "ARNs of the roles of the functions."
  value = {
    alert-ingest = module.alert_ingest.role_arn
    approve      = module.approve.role_arn
  }
}

output "rule_names" {
  description = "Names of the rules on the default bus."
  value       = { for name, rule in aws_cloudwatch_event_rule.this : name => rule.name }
}

output "dead_letter_queues" {
  description = "Names of the queues of what could not be taken in."
  value       = { alert-ingest = module.dead_letters.name }
}
