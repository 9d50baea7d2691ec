# The bus between what is known and what is done: every event of the engine, three rules, and an archive.
#
# A rule that acts ignores replays: replaying the archive after an outage must not remediate yesterday's incidents.

data "aws_caller_identity" "current" {}

locals {
  source     = "runbook-engine"
  no_replays = [{ exists = false }]
  account    = data.aws_caller_identity.current.account_id
}

resource "aws_cloudwatch_event_bus" "this" {
  name               = var.name
  description        = "Events of ${var.name}: executions that are due, alerts, audit records"
  kms_key_identifier = var.bus_kms_key_arn
}

resource "aws_cloudwatch_event_archive" "this" {
  name             = var.name
  description      = "Every event of ${var.name}, for ${var.archive_days} days"
  event_source_arn = aws_cloudwatch_event_bus.this.arn
  retention_days   = var.archive_days
  event_pattern    = jsonencode({ source = [local.source] })
}
