# Alert Received that no runbook took, and that matters -> the on-call, at once.

resource "aws_cloudwatch_event_rule" "oncall" {
  name           = "${var.name}-oncall"
  description    = "Tell the on-call of grave alerts that no runbook handles"
  event_bus_name = aws_cloudwatch_event_bus.this.name
  event_pattern = jsonencode({
    source        = [local.source]
    "detail-type" = ["Alert Received"]
    detail = {
      handled  = [false]
      severity = sort(var.oncall_severities)
      status   = ["firing"]
    }
    "replay-name" = local.no_replays
  })
}

resource "aws_cloudwatch_event_target" "oncall" {
  rule           = aws_cloudwatch_event_rule.oncall.name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "oncall"
  arn            = var.oncall_topic_arn

  input_transformer {
    input_paths = {
      alert_key = "$.detail.alert_key"
      incident  = "$.detail.incident_id"
      name      = "$.detail.name"
      scope     = "$.detail.scope"
      severity  = "$.detail.severity"
      source    = "$.detail.source"
      status    = "$.detail.status"
      time      = "$.time"
    }

    # What a sender chose stands only where EventBridge quotes it: a name with a quotation mark breaks nothing.
    input_template = <<-TEMPLATE
      {
        "summary": "An alert is firing that no runbook handles",
        "severity": <severity>,
        "name": <name>,
        "source": <source>,
        "scope": <scope>,
        "status": <status>,
        "time": <time>,
        "incident": <incident>,
        "alert_key": <alert_key>
      }
    TEMPLATE
  }

  retry_policy {
    maximum_event_age_in_seconds = var.maximum_event_age_seconds
    maximum_retry_attempts       = 20
  }

  dead_letter_config {
    arn = module.oncall_dead_letters.arn
  }
}

module "oncall_dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-oncall-dlq"
  kms_key_arn = var.kms_key_arn
  senders     = { "events.amazonaws.com" = [aws_cloudwatch_event_rule.oncall.arn] }
}
