mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name               = "runbook-engine"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  package            = "main.tf"
  environment        = { RUNBOOK_TABLE = "journal", RUNBOOK_BUS = "bus", RUNBOOK_BUNDLE = "bundle.msgpack" }
  policies           = []
  link_key_parameter = "/runbook-engine/link-key"
  state_machine_arn  = "arn:aws:states:eu-west-1:123456789012:stateMachine:driver"
  own_alarm_prefix   = "runbook-engine-health-"
}

run "has_four_routes_and_no_more" {
  command = plan

  assert {
    condition     = toset([for route in aws_apigatewayv2_route.this : route.route_key]) == toset(["POST /hooks/{scope}", "PUT /hooks/{scope}", "GET /approvals/{execution_id}", "POST /approvals/{execution_id}"])
    error_message = "The routes must be those of the handlers."
  }

  assert {
    condition     = output.alert_webhook_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/hooks"
    error_message = "Senders need the address."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 50
    error_message = "The webhooks must be throttled."
  }

  assert {
    condition     = toset([for settings in aws_apigatewayv2_stage.this.route_settings : settings.route_key]) == toset(["GET /approvals/{execution_id}", "POST /approvals/{execution_id}"])
    error_message = "Only the pages of people may be slower than the webhooks."
  }

  assert {
    condition     = endswith(aws_lambda_permission.api["put"].source_arn, "/*/PUT/hooks/*") && aws_lambda_permission.api["put"].function_name == aws_lambda_permission.api["hooks"].function_name
    error_message = "The function that takes in alerts must be callable by both methods."
  }
}

run "logs_no_path_and_no_query" {
  command = plan

  assert {
    condition     = length(regexall("path|query|header|authorizer", lower(aws_apigatewayv2_stage.this.access_log_settings[0].format))) == 0
    error_message = "A signed link is a credential."
  }
}

run "takes_in_alarms_and_deployments_but_no_replay" {
  command = plan

  assert {
    condition     = toset(keys(aws_cloudwatch_event_rule.this)) == toset(["alarms", "codedeploy", "codepipeline", "deploys", "ecs"])
    error_message = "Alarms and deployments must be heard of."
  }

  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.this : jsondecode(rule.event_pattern)["replay-name"] == [{ exists = false }]])
    error_message = "A replay is history."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["alarms"].event_pattern).detail.alarmName == [{ "anything-but" = { prefix = "runbook-engine-health-" } }]
    error_message = "The engine must not remediate itself."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : length(target.dead_letter_config) == 1 && target.retry_policy[0].maximum_event_age_in_seconds <= 900])
    error_message = "What cannot be delivered must be kept, and not be late."
  }
}

run "hears_nothing_when_told_so" {
  command = plan

  variables {
    cloudwatch_alarms  = false
    deployment_sources = []
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 0
    error_message = "No rule is wanted."
  }
}

run "takes_in_topics_and_queues" {
  command = plan

  variables {
    sns_topics = { ops = "arn:aws:sns:eu-west-1:123456789012:ops" }
    sqs_queues = { alerts = "arn:aws:sqs:eu-west-1:123456789012:alerts" }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue["alerts"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "One bad message must not repeat the others."
  }

  assert {
    condition     = aws_lambda_permission.topic["ops"].source_arn == var.sns_topics["ops"]
    error_message = "Only that topic may call."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.alerts) == 1
    error_message = "The topic must be subscribed to."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.ingest.statement : statement.resources if statement.sid == "Queues"] == [toset(["arn:aws:sqs:eu-west-1:123456789012:alerts"])]
    error_message = "The role must name the queue."
  }
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses a burst below the rate
    burst_limit = 10
    # refuses to leave every alarm out
    own_alarm_prefix = ""
    # refuses half a call at a time
    ingest_concurrency  = 1.5
    approve_concurrency = 1.5
    # refuses an unknown source of deployments
    deployment_sources = ["aws.ec2"]
    # refuses a fifo topic
    sns_topics = { ops = "arn:aws:sns:eu-west-1:123456789012:ops.fifo" }
    # refuses an environment without a table
    environment = { RUNBOOK_BUS = "bus", RUNBOOK_BUNDLE = "bundle.msgpack" }
  }

  expect_failures = [
    var.burst_limit,
    var.own_alarm_prefix,
    var.ingest_concurrency,
    var.approve_concurrency,
    var.deployment_sources,
    var.sns_topics,
    var.environment,
  ]
}
