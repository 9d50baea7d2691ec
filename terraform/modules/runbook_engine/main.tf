# What drives executions: a function that performs one step a call, a state machine that waits in between, and a sweep
# that finds what was left behind.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  place    = "${data.aws_region.current.region}:${local.account}"
  handlers = "runbook_engine.entrypoints.aws_lambda"
  environment = merge(var.environment, {
    RUNBOOK_APPROVE_URL = var.approvals_url
    RUNBOOK_LINK_KEY    = var.link_key_parameter
  })
}

module "runbook_action" {
  source = "../function"

  name                 = "${var.name}-runbook-action"
  description          = "Drives an execution by one step: at most one change, batch or look a call"
  handler              = "${local.handlers}.drive"
  package              = var.package
  runtime              = var.runtime
  architecture         = var.architecture
  memory_mb            = 512
  timeout_seconds      = 240 # the machine gives up after 300 s
  environment          = local.environment
  policy_json          = data.aws_iam_policy_document.drive.json
  secret_parameters    = distinct(concat([var.link_key_parameter, var.pause_parameter], var.secret_parameters))
  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.drive_concurrency
  network = var.network == null ? null : {
    subnet_ids        = var.network.subnet_ids
    security_group_id = one(aws_security_group.this[*].id)
  }
}

# What the runbooks may do, beside what driving needs.
resource "aws_iam_role_policy" "actions" {
  count = var.action_policy_json == null ? 0 : 1

  name   = "actions"
  role   = module.runbook_action.role_name
  policy = var.action_policy_json
}

check "actions_are_allowed" {
  assert {
    condition     = var.action_policy_json != null
    error_message = "No action_policy_json: runbooks can match and plan, but every change will be refused by AWS (runbook permissions --format iam)."
  }
}
