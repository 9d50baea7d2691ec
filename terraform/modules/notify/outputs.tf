output "topic_arn" {
  description = "ARN of the topic (RUNBOOK_TOPIC_ONCALL)."
  value       = aws_sns_topic.oncall.arn
}

output "policy_json" {
  description = "What a function needs that tells the on-call."
  value       = data.aws_iam_policy_document.publish.json
}

output "dead_letter_queues" {
  description = "Names of the queues of undelivered messages."
  value       = { notify = module.dead_letters.name }
}
