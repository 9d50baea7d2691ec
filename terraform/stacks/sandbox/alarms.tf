# What tells of trouble. Alarms need no action: EventBridge carries each change of state to the engine.

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "Callers of ${var.name}:live get errors. Runbook: sandbox-lambda-errors."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching" # nobody calls: nothing fails
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  dimensions = {
    FunctionName = aws_lambda_function.sandbox.function_name
    Resource     = "${aws_lambda_function.sandbox.function_name}:${aws_lambda_alias.live.name}" # as callers see it
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${aws_sqs_queue.dead_letters.name}-depth"
  alarm_description   = "Messages of ${aws_sqs_queue.work.name} were given up. Runbook: orders-dlq."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "ignore" # the metric of an idle queue pauses: that says nothing about its messages
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  dimensions = {
    QueueName = aws_sqs_queue.dead_letters.name
  }
}
