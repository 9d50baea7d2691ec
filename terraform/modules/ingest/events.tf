# What AWS itself tells on the default bus: alarms that change state, and deployments. Replays are history, not news.

locals {
  no_replays = [{ exists = false }]
  detail_types = {
    "aws.codedeploy"         = ["CodeDeploy Deployment State-change Notification"]
    "aws.codepipeline"       = ["CodePipeline Pipeline Execution State Change"]
    "aws.ecs"                = ["ECS Deployment State Change"]
    "runbook-engine.deploys" = null # ours: whatever the type
  }
  alarms = {
    source        = ["aws.cloudwatch"]
    "detail-type" = ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"]
    detail        = { alarmName = [{ "anything-but" = { prefix = var.own_alarm_prefix } }] }
    "replay-name" = local.no_replays
  }
  deployments = {
    for source in var.deployment_sources : replace(replace(source, "aws.", ""), "runbook-engine.", "") => merge(
      { source = [source], "replay-name" = local.no_replays },
      local.detail_types[source] == null ? {} : { "detail-type" = local.detail_types[source] },
    )
  }
  rules = merge(
    { for name, pattern in local.deployments : name => jsonencode(pattern) },
    var.cloudwatch_alarms ? { alarms = jsonencode(local.alarms) } : {},
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = "Take ${each.key} in as alerts and changes"
  event_pattern = each.value
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "alert-ingest"
  arn       = module.alert_ingest.arn

  retry_policy {
    maximum_event_age_in_seconds = var.maximum_event_age_seconds
    maximum_retry_attempts       = 20
  }

  dead_letter_config {
    arn = module.dead_letters.arn
  }
}

resource "aws_lambda_permission" "rule" {
  for_each = local.rules

  statement_id   = "rule-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = module.alert_ingest.name
  principal      = "events.amazonaws.com"
  source_arn     = aws_cloudwatch_event_rule.this[each.key].arn
  source_account = local.account
}
