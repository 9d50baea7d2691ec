mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name                   = "runbook-engine"
  topic_arn              = "arn:aws:sns:eu-west-1:123456789012:oncall"
  functions              = { alert-ingest = "engine-ingest", sweep = "engine-sweep" }
  asynchronous_functions = ["alert-ingest"]
  dead_letter_queues     = { driver = "engine-driver-dlq" }
  source_queues          = { alerts = "alerts" }
  state_machine_arn      = "arn:aws:states:eu-west-1:123456789012:stateMachine:driver"
  api_id                 = "a1b2c3d4e5"
  sweep_function_name    = "engine-sweep"
}

run "watches_everything" {
  command = plan

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.count)) == toset(["errors-alert-ingest", "errors-sweep", "throttles-alert-ingest", "throttles-sweep", "backlog-alert-ingest", "backlog-alerts", "dlq-driver", "driver-failed", "driver-timed-out", "api-errors", "unauthorized", "unusable", "storm-held"])
    error_message = "Every function, queue, driver and the API must be watched."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.count : alarm.alarm_actions == toset([var.topic_arn])])
    error_message = "Every alarm must tell the on-call."
  }

  assert {
    condition     = alltrue([for name in output.alarm_names : startswith(name, output.alarm_prefix)])
    error_message = "The engine leaves its own alarms out by their prefix."
  }
}

run "counts_what_was_refused" {
  command = plan

  assert {
    condition = { for key in ["unauthorized", "unusable"] : key => [
      for alarm in [aws_cloudwatch_metric_alarm.count[key]] :
      [alarm.namespace, alarm.metric_name, alarm.dimensions.outcome, alarm.statistic, alarm.comparison_operator, alarm.threshold, alarm.period, alarm.treat_missing_data]
      ][0] } == {
      unauthorized = ["RunbookEngine", "Deliveries", "unauthorized", "Sum", "GreaterThanThreshold", 9, 300, "notBreaching"]
      unusable     = ["RunbookEngine", "Deliveries", "unusable", "Sum", "GreaterThanThreshold", 0, 300, "notBreaching"]
    }
    error_message = "A sender that is refused, and an event that cannot be taken, must be heard of."
  }
}

run "hears_of_a_storm" {
  command = plan

  assert {
    condition = [
      for alarm in [aws_cloudwatch_metric_alarm.count["storm-held"]] :
      [alarm.namespace, alarm.metric_name, length(coalesce(alarm.dimensions, {})), alarm.statistic, alarm.comparison_operator, alarm.threshold, alarm.period, alarm.evaluation_periods, alarm.treat_missing_data]
    ][0] == ["RunbookEngine", "StormHeld", 0, "Maximum", "GreaterThanThreshold", 0, 60, 1, "notBreaching"]
    error_message = "A held storm must be heard of by the minute, for as long as the sweep sees it."
  }
}

run "takes_silence_for_death" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_man.treat_missing_data == "breaching"
    error_message = "No data means no sweep."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_man.evaluation_periods * aws_cloudwatch_metric_alarm.dead_man.period == 300
    error_message = "Five minutes of silence are too many."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_man.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.dead_man.threshold == 1
    error_message = "Less than one sweep is none."
  }
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses to watch nothing
    dead_letter_queues = {}
    # refuses an unknown asynchronous function
    asynchronous_functions = ["drive"]
    # refuses a backlog of a day
    backlog_age_seconds = 86400
  }

  expect_failures = [
    var.dead_letter_queues,
    var.asynchronous_functions,
    var.backlog_age_seconds,
  ]
}
