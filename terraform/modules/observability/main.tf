# Who watches the watchman: alarms on the engine itself. They go to people through the topic, and never to the engine
# (the ingest module leaves out alarms whose names begin with the prefix below).

locals {
  prefix = "${var.name}-health-"
  region = split(":", var.state_machine_arn)[3]

  # Alarms that differ only in what they count. Missing data means that nothing happened, which is good.
  counts = merge(
    {
      for label, name in var.functions : "errors-${label}" => {
        description = "The function ${name} fails: see its log group /aws/lambda/${name}"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = name }
        minutes     = 5
        statistic   = "Sum"
        above       = 0
      }
    },
    {
      for label, name in var.functions : "throttles-${label}" => {
        description = "Calls of the function ${name} are refused: raise its reserved concurrency, or the account's"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = { FunctionName = name }
        minutes     = 5
        statistic   = "Sum"
        above       = 0
      }
    },
    {
      for label, name in var.functions : "backlog-${label}" => {
        description = "Events wait too long for the function ${name}"
        namespace   = "AWS/Lambda"
        metric      = "AsyncEventAge"
        dimensions  = { FunctionName = name }
        minutes     = 1
        statistic   = "Maximum"
        above       = var.backlog_age_seconds * 1000 # milliseconds
      } if contains(var.asynchronous_functions, label)
    },
    {
      for label, name in var.source_queues : "backlog-${label}" => {
        description = "Alerts wait too long in the queue ${name}"
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = name }
        minutes     = 1
        statistic   = "Maximum"
        above       = var.backlog_age_seconds
      }
    },
    {
      for label, name in var.dead_letter_queues : "dlq-${label}" => {
        description = "Something could not be delivered: read the queue ${name}, mend the cause, then redrive or purge"
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = name }
        minutes     = 1
        statistic   = "Maximum"
        above       = 0
      }
    },
    {
      for label, metric in { failed = "ExecutionsFailed", timed-out = "ExecutionsTimedOut" } : "driver-${label}" => {
        description                 = "A driver ended without the engine's word; the sweep drives its execution on, but see why"
        namespace                   = "AWS/States"
        metric                      = metric
        dimensions                  = { StateMachineArn = var.state_machine_arn }
        minutes                     = 5
        statistic                   = "Sum"
        above                       = 0
      }
    },
    {
      api-errors = {
        description = "Webhooks or approval pages are answered with 5xx: senders repeat, but not for ever"
        namespace   = "AWS/ApiGateway"
        metric      = "5xx"
        dimensions  = { ApiId = var.api_id }
        minutes     = 5
        statistic   = "Sum"
        above       = 0
      }
    },
    {
      unauthorized = {
        description = "Ten deliveries in five minutes had no valid credentials: a sender's token is wrong, or somebody is trying"
        namespace   = "RunbookEngine"
        metric      = "Deliveries"
        dimensions  = { outcome = "unauthorized" }
        minutes     = 5
        statistic   = "Sum"
        above       = 9
      }
      unusable = {
        description = "AWS delivered what no scope takes, or what is no alert: it was not handled; the log of alert_ingest says why"
        namespace   = "RunbookEngine"
        metric      = "Deliveries"
        dimensions  = { outcome = "unusable" }
        minutes     = 5
        statistic   = "Sum"
        above       = 0
      }
    },
    {
      # The page of the storm goes out once, to whom engine.yaml names; this one lasts as long as the storm does.
      storm-held = {
        description = "A storm holds every change: look at what fails in so many places, then let it end, or say runbook release"
        namespace   = "RunbookEngine"
        metric      = "StormHeld"
        dimensions  = {}
        minutes     = 1
        statistic   = "Maximum"
        above       = 0
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "count" {
  for_each = local.counts

  alarm_name          = "${local.prefix}${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  period              = each.value.minutes * 60
  evaluation_periods  = 1
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

# Silence is the loudest failure: no sweep means that nothing drives, expires or notices, whatever the cause.
resource "aws_cloudwatch_metric_alarm" "dead_man" {
  alarm_name          = "${local.prefix}dead-man"
  alarm_description   = "No sweep for ${var.silence_minutes} minutes: the engine is not running. Remediate by hand and look at ${var.sweep_function_name}"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = var.sweep_function_name }
  period              = 60
  evaluation_periods  = var.silence_minutes
  datapoints_to_alarm = var.silence_minutes
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      {
        type   = "metric"
        x      = 0
        y      = 0
        width  = 12
        height = 6
        properties = {
          title  = "Calls and errors"
          region = local.region
          stat   = "Sum"
          period = 300
          metrics = concat(
            [for label, name in var.functions : ["AWS/Lambda", "Invocations", "FunctionName", name, { label = label }]],
            [for label, name in var.functions : ["AWS/Lambda", "Errors", "FunctionName", name, { label = "${label} errors" }]],
          )
        }
      },
      {
        type   = "metric"
        x      = 12
        y      = 0
        width  = 12
        height = 6
        properties = {
          title  = "Drivers"
          region = local.region
          stat   = "Sum"
          period = 300
          metrics = [
            for metric in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"] :
            ["AWS/States", metric, "StateMachineArn", var.state_machine_arn]
          ]
        }
      },
      {
        type   = "metric"
        x      = 0
        y      = 6
        width  = 12
        height = 6
        properties = {
          title  = "Dead letters"
          region = local.region
          stat   = "Maximum"
          period = 300
          metrics = [
            for label, name in var.dead_letter_queues :
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = label }]
          ]
        }
      },
      {
        type   = "alarm"
        x      = 12
        y      = 6
        width  = 12
        height = 6
        properties = {
          title  = "Alarms"
          alarms = concat([for alarm in aws_cloudwatch_metric_alarm.count : alarm.arn], [aws_cloudwatch_metric_alarm.dead_man.arn])
        }
      },
    ]
  })
}
