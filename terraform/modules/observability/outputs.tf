output "alarm_prefix" {
  description = "Beginning of the names of these alarms, which the engine itself must not take in."
  value       = local.prefix
}

output "alarm_names" {
  description = "Names of all alarms."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.count : alarm.alarm_name], [aws_cloudwatch_metric_alarm.dead_man.alarm_name])
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
