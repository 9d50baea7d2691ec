# The topic of the on-call: what people must know now. Alarms of CloudWatch, a rule of the bus and the engine publish.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  alarms  = "arn:${data.aws_partition.current.partition}:cloudwatch:${data.aws_region.current.region}:${local.account}:alarm:${var.name}-*"
}

resource "aws_sns_topic" "oncall" {
  name              = "${var.name}-oncall"
  display_name      = "On-call"
  kms_master_key_id = var.kms_key_arn
  signature_version = 2 # SHA-256
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.subscriptions

  topic_arn           = aws_sns_topic.oncall.arn
  protocol            = each.value.protocol
  endpoint            = each.value.endpoint
  filter_policy       = each.value.filter_policy
  filter_policy_scope = each.value.filter_policy == null ? null : each.value.filter_policy_scope
  redrive_policy      = jsonencode({ deadLetterTargetArn = module.dead_letters.arn })
}

module "dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-notify-dlq"
  kms_key_arn = var.kms_key_arn
  senders     = { "sns.amazonaws.com" = [aws_sns_topic.oncall.arn] }
}

check "somebody_listens" {
  assert {
    condition     = length(var.subscriptions) > 0
    error_message = "Nobody subscribes to ${var.name}-oncall: incidents, dead letters and the dead-man alarm are told to no one."
  }
}
