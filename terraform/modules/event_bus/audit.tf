# Every event -> a log group. It only records, so replays are welcome: a lost audit log can be written again.

resource "aws_cloudwatch_event_rule" "audit" {
  name           = "${var.name}-audit"
  description    = "Keep every event of ${var.name} in a log"
  event_bus_name = aws_cloudwatch_event_bus.this.name
  event_pattern  = jsonencode({ source = [local.source] })
}

resource "aws_cloudwatch_event_target" "audit" {
  rule           = aws_cloudwatch_event_rule.audit.name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "audit"
  arn            = aws_cloudwatch_log_group.audit.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600 # late is better than never: a record does no harm
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = module.audit_dead_letters.arn
  }
}

module "audit_dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-audit-dlq"
  kms_key_arn = var.kms_key_arn
  senders     = { "events.amazonaws.com" = [aws_cloudwatch_event_rule.audit.arn] }
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/aws/events/${var.name}-audit" # EventBridge writes only to groups below /aws/events/
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "audit" {
  statement {
    sid       = "Streams"
    actions   = ["logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.audit.arn}:*"] # the streams of this one group

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }
  }

  statement {
    sid       = "Events"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.audit.arn}:*"] # the streams of this one group

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.audit.arn]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "audit" {
  policy_name     = "${var.name}-audit"
  policy_document = data.aws_iam_policy_document.audit.json
}
