# The front door: two functions. One takes alerts in, over HTTP and from AWS; the other serves the approval pages.

data "aws_caller_identity" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  handlers = "runbook_engine.entrypoints.aws_lambda"
  environment = merge(var.environment, {
    RUNBOOK_APPROVE_URL = "${aws_apigatewayv2_api.this.api_endpoint}/approvals"
    RUNBOOK_LINK_KEY    = var.link_key_parameter
  })
}

module "alert_ingest" {
  source = "../function"

  name                      = "${var.name}-alert-ingest"
  description               = "Takes alerts in: authenticates, normalises, correlates, matches, and writes them to the journal"
  handler                   = "${local.handlers}.ingest"
  package                   = var.package
  runtime                   = var.runtime
  architecture              = var.architecture
  memory_mb                 = 512
  timeout_seconds           = 25 # the API gives up after 30 s
  environment               = local.environment
  policy_json               = data.aws_iam_policy_document.ingest.json
  secret_parameters         = var.token_parameters
  kms_key_arn               = var.kms_key_arn
  log_retention_days        = var.log_retention_days
  reserved_concurrency      = var.ingest_concurrency
  failure_queue_used        = true
  failure_queue_arn         = module.dead_letters.arn
  maximum_event_age_seconds = var.maximum_event_age_seconds
}

module "approve" {
  source = "../function"

  name                 = "${var.name}-approve"
  description          = "Shows what a signed link asks for, and records the decision"
  handler              = "${local.handlers}.approve"
  package              = var.package
  runtime              = var.runtime
  architecture         = var.architecture
  memory_mb            = 512
  timeout_seconds      = 25
  environment          = local.environment
  policy_json          = data.aws_iam_policy_document.approve.json
  secret_parameters    = distinct(concat([var.link_key_parameter], var.token_parameters)) # a team with members answers with a token
  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.approve_concurrency
}

# One queue for all that could not be taken in: events that a rule or a topic could not hand over, and calls that failed.
module "dead_letters" {
  source = "../dead_letters"

  name        = "${var.name}-alert-ingest-dlq"
  kms_key_arn = var.kms_key_arn
  senders = merge(
    length(local.rules) > 0 ? { "events.amazonaws.com" = [for rule in aws_cloudwatch_event_rule.this : rule.arn] } : {},
    length(var.sns_topics) > 0 ? { "sns.amazonaws.com" = values(var.sns_topics) } : {},
  )
}
