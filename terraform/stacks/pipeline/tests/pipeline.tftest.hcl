mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  region               = "eu-west-1"
  package              = "versions.tf"
  oncall_subscriptions = { oncall = { protocol = "email", endpoint = "oncall@example.com" } }
  action_policy_file   = "../../testing/actions.json"
}

run "joins_the_parts" {
  command = plan

  assert {
    condition     = output.alert_webhook_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/hooks"
    error_message = "Senders need the address."
  }

  assert {
    condition     = output.incidents_table_name == "runbook-engine"
    error_message = "The table is named after the installation."
  }

  assert {
    condition     = output.function_names == { alert-ingest = "runbook-engine-alert-ingest", approve = "runbook-engine-approve", runbook-action = "runbook-engine-runbook-action", sweep = "runbook-engine-sweep" }
    error_message = "The functions must have the names that the documents tell."
  }

  assert {
    condition     = length(aws_kms_key.this) == 1 && aws_kms_key.this[0].enable_key_rotation
    error_message = "One key, which rotates."
  }

  assert {
    condition     = output.runbook_action_security_group_id == null
    error_message = "Without a private cluster there is no VPC."
  }
}

run "takes_a_key_of_yours" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && output.kms_key_arn == var.kms_key_arn
    error_message = "No second key may be made."
  }
}

run "lets_nobody_replace_what_the_functions_open" {
  command = plan

  variables {
    create_bundle_bucket = true
    bundle               = { key = "bundles/1.msgpack", digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
    environment          = { RUNBOOK_BUNDLE_DIGEST = "none", RUNBOOK_TABLE = "another", RUNBOOK_TOPIC_PAYMENTS = "arn:aws:sns:eu-west-1:123456789012:payments" }
  }

  assert {
    condition     = local.environment.RUNBOOK_BUNDLE_DIGEST == var.bundle.digest && local.environment.RUNBOOK_TABLE == "runbook-engine"
    error_message = "What the pipeline says of itself must win."
  }

  assert {
    condition     = local.environment.RUNBOOK_TOPIC_PAYMENTS == var.environment.RUNBOOK_TOPIC_PAYMENTS
    error_message = "What is added must arrive."
  }
}

run "tells_of_a_zip_for_another_processor" {
  command = plan

  variables {
    architecture = "x86_64"
    package      = "../../testing/engine-arm64.txt"
  }

  expect_failures = [check.package_fits_architecture]
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses a policy file that is not there
    action_policy_file = "missing.json"
    # refuses a zone for a region
    region = "eu-west-1a"
    # refuses names that aws keeps for itself
    environment = { AWS_REGION = "eu-west-1" }
    # refuses to switch a function off
    concurrency = { drive = 0 }
  }

  expect_failures = [
    var.action_policy_file,
    var.region,
    var.environment,
    var.concurrency,
  ]
}

run "refuses_half_a_call_and_one_subnet_told_twice" {
  command = plan

  variables {
    concurrency = { sweep = 1.5 }
    network     = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0a"], egress_cidrs = ["10.42.0.0/16"] }
  }

  expect_failures = [
    var.concurrency,
    var.network,
  ]
}
