mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name               = "runbook-engine"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  package            = "main.tf"
  environment        = { RUNBOOK_TABLE = "journal", RUNBOOK_BUS = "bus", RUNBOOK_BUNDLE = "bundle.msgpack" }
  policies           = []
  link_key_parameter = "/runbook-engine/link-key"
  approvals_url      = "https://api.example.com/approvals"
  action_policy_json = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["ssm:PutParameter"], Resource = ["arn:aws:ssm:eu-west-1:123456789012:parameter/checkout/degraded_mode"] }] })
}

run "drives_through_one_machine" {
  command = plan

  assert {
    condition     = strcontains(aws_sfn_state_machine.driver.definition, module.runbook_action.arn)
    error_message = "The machine must call the function."
  }

  assert {
    condition     = !strcontains(aws_sfn_state_machine.driver.definition, "drive_function_arn")
    error_message = "No placeholder may be left in the definition."
  }

  assert {
    condition     = aws_sfn_state_machine.driver.type == "STANDARD"
    error_message = "Approvals last longer than an express execution."
  }

  assert {
    condition     = !aws_sfn_state_machine.driver.logging_configuration[0].include_execution_data && aws_sfn_state_machine.driver.logging_configuration[0].level == "ERROR"
    error_message = "Task tokens must not be logged."
  }
}

run "sweeps_every_minute" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)"
    error_message = "The sweep must run every minute."
  }

  assert {
    condition     = aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_event_age_in_seconds == 60
    error_message = "A late sweep is worth nothing."
  }

  assert {
    condition     = length(aws_scheduler_schedule.sweep.target[0].dead_letter_config) == 1
    error_message = "A sweep that cannot start must be kept."
  }
}

run "may_do_what_the_runbooks_need_and_no_more" {
  command = plan

  assert {
    condition     = aws_iam_role_policy.actions[0].policy == var.action_policy_json
    error_message = "The policy must be the one that was made from the runbooks."
  }

  assert {
    condition     = length(aws_security_group.this) == 0
    error_message = "Without a private cluster there is no VPC."
  }
}

run "reaches_only_port_443_from_a_vpc" {
  command = plan

  variables {
    network = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"], egress_cidrs = ["10.42.0.0/16"], prefix_list_ids = ["pl-0a"] }
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.addresses) == 1 && length(aws_vpc_security_group_egress_rule.services) == 1
    error_message = "Only what is named may be reached."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.addresses : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp"])
    error_message = "Only HTTPS may leave."
  }
}

run "loads_bundles_from_s3_by_digest" {
  command = plan

  variables {
    create_bundle_bucket = true
    bundle               = { key = "bundles/1.msgpack", digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
  }

  assert {
    condition     = output.bundle_environment.RUNBOOK_BUNDLE == "s3://runbook-engine-bundles-123456789012/bundles/1.msgpack"
    error_message = "The functions must be told where the bundle is."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.bundles[0].restrict_public_buckets && aws_s3_bucket_versioning.bundles[0].versioning_configuration[0].status == "Enabled"
    error_message = "Nobody else may see the bucket, and nothing may be lost."
  }

  assert {
    condition     = length(output.bundle_policies) == 1
    error_message = "The functions must be allowed to read it."
  }
}

run "warns_when_nothing_may_be_done" {
  command = plan

  variables {
    action_policy_json = null
  }

  expect_failures = [check.actions_are_allowed]
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses a policy that allows everything
    action_policy_json = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
    # refuses a bundle without a bucket
    bundle = { key = "bundles/1.msgpack", digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
    # refuses a network that reaches nothing
    network = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"], egress_cidrs = [] }
    # refuses one parameter for two purposes
    pause_parameter = "/runbook-engine/link-key"
    # refuses half a sweep
    sweep_concurrency = 1.5
    # refuses plain http for approvals
    approvals_url = "http://api.example.com/approvals"
  }

  expect_failures = [
    var.action_policy_json,
    var.bundle,
    var.network,
    var.pause_parameter,
    var.sweep_concurrency,
    var.approvals_url,
  ]
}

run "refuses_one_subnet_told_twice" {
  command = plan

  variables {
    network = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0a"], egress_cidrs = ["10.42.0.0/16"] }
  }

  expect_failures = [
    var.network,
  ]
}

run "refuses_a_digest_that_is_none" {
  command = plan

  variables {
    create_bundle_bucket = true
    bundle               = { key = "bundles/1.msgpack", digest = "latest" }
  }

  expect_failures = [
    var.bundle,
  ]
}
