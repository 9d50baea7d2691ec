output "arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "name" {
  description = "Name of the table (RUNBOOK_TABLE)."
  value       = aws_dynamodb_table.this.name
}

output "policy_json" {
  description = "What a function needs that reads and writes the journal, and no more: no scan, no change of the table."
  value       = data.aws_iam_policy_document.access.json
}
