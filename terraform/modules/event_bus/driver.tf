# Execution Due -> one execution of the driver. An event that is delivered twice starts two; the newer takes the seat,
# and the other ends at its next call.

resource "aws_cloudwatch_event_rule" "driver" {
  name           = "${var.name}-driver"
  description    = "Start a driver for every execution that is due"
  event_bus_name = aws_cloudwatch_event_bus.this.name
  event_pattern = jsonencode({
    source        = [local.source]
    "detail-type" = ["Execution Due"]
    "replay-name" = local.no_replays
  })
}

resource "aws_cloudwatch_event_target" "driver" {
  rule           = aws_cloudwatch_event_rule.driver.name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "driver"
  arn            = var.state_machine_arn
  role_arn       = aws_iam_role.driver.arn
  input_path     = "$.detail"

  retry_policy {
    maximum_event_age_in_seconds = var.maximum_event_age_seconds
    maximum_retry_attempts       = 20
  }

  dead_letter_config {
    arn = module.driver_dead_letters.arn
  }
}

module "driver_dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-driver-dlq"
  kms_key_arn = var.kms_key_arn
  senders     = { "events.amazonaws.com" = [aws_cloudwatch_event_rule.driver.arn] }
}

data "aws_iam_policy_document" "driver_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.driver.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "driver" {
  statement {
    actions   = ["states:StartExecution"]
    resources = [var.state_machine_arn]
  }
}

resource "aws_iam_role" "driver" {
  name               = "${var.name}-bus-driver"
  description        = "Starts the driver of ${var.name} for its rule"
  assume_role_policy = data.aws_iam_policy_document.driver_trust.json
}

resource "aws_iam_role_policy" "driver" {
  name   = "start"
  role   = aws_iam_role.driver.id
  policy = data.aws_iam_policy_document.driver.json
}
