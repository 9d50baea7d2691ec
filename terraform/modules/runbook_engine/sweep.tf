# Every minute: drive again what nobody drives, expire approvals and pauses. That it runs at all is what the dead-man
# alarm of observability watches.

module "sweep" {
  source = "../function"

  name                      = "${var.name}-sweep"
  description               = "Finds executions whose driver is gone, and expires what has run out"
  handler                   = "${local.handlers}.sweep"
  package                   = var.package
  runtime                   = var.runtime
  architecture              = var.architecture
  memory_mb                 = 512
  timeout_seconds           = 55 # before the next one begins
  environment               = local.environment
  policy_json               = data.aws_iam_policy_document.sweep.json
  secret_parameters         = [var.pause_parameter]
  kms_key_arn               = var.kms_key_arn
  log_retention_days        = var.log_retention_days
  reserved_concurrency      = var.sweep_concurrency
  failure_queue_used        = true
  failure_queue_arn         = module.sweep_dead_letters.arn
  maximum_event_age_seconds = 60 # the next sweep looks at the same things
}

module "sweep_dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-sweep-dlq"
  kms_key_arn = var.kms_key_arn
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:All that it holds is the constant below
  name                = "${var.name}-sweep"
  description         = "Sweep every minute"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.sweep.arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ op = "sweep" })

    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 2
    }

    dead_letter_config {
      arn = module.sweep_dead_letters.arn
    }
  }
}

data "aws_iam_policy_document" "schedule_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # The group, not the schedule: that is what the scheduler sends.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "Sweep"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.sweep.arn]
  }

  statement {
    sid       = "Failures"
    actions   = ["sqs:SendMessage"]
    resources = [module.sweep_dead_letters.arn]
  }

  statement {
    sid       = "KeyThroughServices"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${data.aws_region.current.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = "${var.name}-schedule"
  description        = "Calls the sweep of ${var.name} every minute"
  assume_role_policy = data.aws_iam_policy_document.schedule_trust.json
}

resource "aws_iam_role_policy" "schedule" {
  name   = "sweep"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}
