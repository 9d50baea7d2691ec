output "arn" {
  description = "ARN of the queue, for the dead_letter_config of a target."
  value       = aws_sqs_queue.this.arn
}

output "name" {
  description = "Name of the queue, for alarms on its depth."
  value       = aws_sqs_queue.this.name
}
