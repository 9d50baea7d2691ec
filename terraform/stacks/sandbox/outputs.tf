output "api_url" {
  description = "Address of the sandbox."
  value       = aws_apigatewayv2_api.sandbox.api_endpoint
}

output "function_name" {
  description = "Name of the function; runbooks name NAME:live."
  value       = aws_lambda_function.sandbox.function_name
}

output "function_arn" {
  description = "ARN of the function, without a version."
  value       = aws_lambda_function.sandbox.arn
}

output "function_version" {
  description = "Version that this apply published, or found unchanged."
  value       = aws_lambda_function.sandbox.version
}

output "alias_arn" {
  description = "ARN of the alias that callers use."
  value       = aws_lambda_alias.live.arn
}

output "log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "alarm_names" {
  description = "Alarms that runbooks match."
  value       = [aws_cloudwatch_metric_alarm.errors.alarm_name, aws_cloudwatch_metric_alarm.dead_letters.alarm_name]
}

output "queue_arns" {
  description = "The queue and its dead-letter queue."
  value       = { work = aws_sqs_queue.work.arn, dead_letters = aws_sqs_queue.dead_letters.arn }
}

output "dead_letter_queue_url" {
  description = "Address of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "fail_mode" {
  description = "Whether every call raises."
  value       = var.fail_mode
}
