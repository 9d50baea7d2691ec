output "arn" {
  description = "ARN of the bus."
  value       = aws_cloudwatch_event_bus.this.arn
}

output "name" {
  description = "Name of the bus (RUNBOOK_BUS)."
  value       = aws_cloudwatch_event_bus.this.name
}

output "policy_json" {
  description = "What a function needs that puts the engine's events on this bus."
  value       = data.aws_iam_policy_document.put.json
}

output "publisher_rule_arns" {
  description = "Rules that publish to the on-call topic, for its policy."
  value       = [aws_cloudwatch_event_rule.oncall.arn]
}

output "dead_letter_queues" {
  description = "Names of the queues of undelivered events, by what they were for."
  value = {
    driver = module.driver_dead_letters.name
    oncall = module.oncall_dead_letters.name
    audit  = module.audit_dead_letters.name
  }
}

output "rules" {
  description = "Names of the rules, by target."
  value = {
    driver = aws_cloudwatch_event_rule.driver.name
    oncall = aws_cloudwatch_event_rule.oncall.name
    audit  = aws_cloudwatch_event_rule.audit.name
  }
}

output "audit_log_group_name" {
  description = "Log group that holds every event."
  value       = aws_cloudwatch_log_group.audit.name
}

output "archive_arn" {
  description = "The archive, for a replay."
  value       = aws_cloudwatch_event_archive.this.arn
}
