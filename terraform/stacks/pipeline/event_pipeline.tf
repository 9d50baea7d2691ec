# API Gateway -> alert_ingest -> journal and bus -> { driver -> runbook_action, on-call, audit log, archive }
#
# Everything is in the modules; here they are joined.

locals {
  environment = merge(var.environment, module.runbook_engine.bundle_environment, { # what is ours wins
    RUNBOOK_TABLE        = module.incident_store.name
    RUNBOOK_BUS          = module.event_bus.name
    RUNBOOK_TOPIC_ONCALL = module.notify.topic_arn
  })
  policies = concat(
    [module.incident_store.policy_json, module.event_bus.policy_json],
    module.runbook_engine.bundle_policies,
  )
  action_policy_json = var.action_policy_file == null ? null : file(var.action_policy_file)
}

check "package_fits_architecture" {
  assert {
    condition     = !can(regex("arm64|x86_64", basename(var.package))) || strcontains(var.package, var.architecture)
    error_message = "The zip ${var.package} was built for another processor than ${var.architecture}."
  }
}

module "incident_store" {
  source = "../../modules/incident_store"

  name                = var.name
  kms_key_arn         = local.key_arn
  deletion_protection = var.deletion_protection
}

module "event_bus" {
  source = "../../modules/event_bus"

  name               = var.name
  kms_key_arn        = local.key_arn
  state_machine_arn  = module.runbook_engine.state_machine_arn
  oncall_topic_arn   = module.notify.topic_arn
  oncall_severities  = var.oncall_severities
  archive_days       = var.archive_days
  log_retention_days = var.audit_retention_days
}

module "notify" {
  source = "../../modules/notify"

  name                = var.name
  kms_key_arn         = local.key_arn
  subscriptions       = var.oncall_subscriptions
  publisher_rule_arns = module.event_bus.publisher_rule_arns
}

module "ingest" {
  source = "../../modules/ingest"

  name                = var.name
  kms_key_arn         = local.key_arn
  package             = var.package
  runtime             = var.runtime
  architecture        = var.architecture
  environment         = local.environment
  policies            = local.policies
  token_parameters    = var.token_parameters
  link_key_parameter  = var.link_key_parameter
  state_machine_arn   = module.runbook_engine.state_machine_arn
  rate_limit          = var.rate_limit
  burst_limit         = var.burst_limit
  ingest_concurrency  = var.concurrency.ingest
  approve_concurrency = var.concurrency.approve
  cloudwatch_alarms   = var.cloudwatch_alarms
  own_alarm_prefix    = module.observability.alarm_prefix
  deployment_sources  = var.deployment_sources
  sns_topics          = var.sns_topics
  sqs_queues          = var.sqs_queues
  log_retention_days  = var.log_retention_days
}

module "runbook_engine" {
  source = "../../modules/runbook_engine"

  name                 = var.name
  kms_key_arn          = local.key_arn
  package              = var.package
  runtime              = var.runtime
  architecture         = var.architecture
  environment          = local.environment
  policies             = local.policies
  drive_policies       = [module.notify.policy_json]
  pause_parameter      = var.pause_parameter
  secret_parameters    = var.secret_parameters
  link_key_parameter   = var.link_key_parameter
  approvals_url        = module.ingest.approvals_url
  action_policy_json   = local.action_policy_json
  network              = var.network
  drive_concurrency    = var.concurrency.drive
  sweep_concurrency    = var.concurrency.sweep
  create_bundle_bucket = var.create_bundle_bucket
  bundle               = var.bundle
  log_retention_days   = var.log_retention_days
}

module "observability" {
  source = "../../modules/observability"

  name                   = var.name
  topic_arn              = module.notify.topic_arn
  functions              = merge(module.ingest.function_names, module.runbook_engine.function_names)
  asynchronous_functions = ["alert-ingest"]
  dead_letter_queues = merge(
    module.event_bus.dead_letter_queues,
    module.ingest.dead_letter_queues,
    module.notify.dead_letter_queues,
    module.runbook_engine.dead_letter_queues,
  )
  source_queues       = { for label, arn in var.sqs_queues : label => split(":", arn)[5] }
  state_machine_arn   = module.runbook_engine.state_machine_arn
  api_id              = module.ingest.api_id
  sweep_function_name = module.runbook_engine.function_names["sweep"]
}
