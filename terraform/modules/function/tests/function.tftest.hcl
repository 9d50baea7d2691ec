mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name        = "engine-probe"
  description = "Looks"
  handler     = "runbook_engine.entrypoints.aws_lambda.sweep"
  package     = "main.tf"
  policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "is_lean_by_default" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "arm64 is a fifth cheaper."
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13"
    error_message = "The runtime must be the tested one."
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0
    error_message = "A function is outside any VPC unless it needs one."
  }

  assert {
    condition     = length(aws_lambda_function_event_invoke_config.this) == 0
    error_message = "Nobody calls it asynchronously."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/engine-probe" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "Its log must be its own and end."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.own.statement) == 2
    error_message = "It may write its log and use the key, no more."
  }
}

run "keeps_failed_calls_when_called_asynchronously" {
  command = plan

  variables {
    failure_queue_used = true
    failure_queue_arn  = "arn:aws:sqs:eu-west-1:123456789012:engine-probe-dlq"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].destination_config[0].on_failure[0].destination == var.failure_queue_arn
    error_message = "A failed call must reach the queue."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].maximum_event_age_in_seconds == 900
    error_message = "The age of a call must be bounded."
  }

  assert {
    condition     = contains([for statement in data.aws_iam_policy_document.own.statement : statement.sid], "Failures")
    error_message = "The role must be allowed to write to the queue."
  }
}

run "denies_its_code_what_the_network_needs" {
  command = plan

  variables {
    network = { subnet_ids = ["subnet-0a", "subnet-0b"], security_group_id = "sg-0a" }
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 1
    error_message = "It must be in the VPC."
  }

  assert {
    condition     = contains([for statement in data.aws_iam_policy_document.own.statement : statement.sid if statement.effect == "Deny"], "NotFromCode")
    error_message = "The code must not make network interfaces."
  }
}

run "reads_only_the_parameters_named" {
  command = plan

  variables {
    secret_parameters = ["/engine/token"]
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.own.statement : statement.resources if statement.sid == "Parameters"][0] == toset(["arn:aws:ssm:eu-west-1:123456789012:parameter/engine/token"])
    error_message = "The role must name the parameter."
  }
}

run "refuses_a_package_that_is_not_there" {
  command = plan

  variables {
    package = "missing.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "refuses_one_subnet_told_twice_and_half_a_call" {
  command = plan

  variables {
    network              = { subnet_ids = ["subnet-0a", "subnet-0a"], security_group_id = "sg-0a" }
    reserved_concurrency = 1.5
  }

  expect_failures = [
    var.network,
    var.reserved_concurrency,
  ]
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses a wildcard parameter
    secret_parameters = ["/engine/*"]
    # refuses one zone
    network = { subnet_ids = ["subnet-0a"], security_group_id = "sg-0a" }
    # refuses an old runtime
    runtime = "python3.11"
    # refuses an unknown processor
    architecture = "riscv64"
    # refuses retention that logs do not know
    log_retention_days = 31
    # refuses to be switched off
    reserved_concurrency = 0
    # refuses a call that is too old
    maximum_event_age_seconds = 3600
  }

  expect_failures = [
    var.secret_parameters,
    var.network,
    var.runtime,
    var.architecture,
    var.log_retention_days,
    var.reserved_concurrency,
    var.maximum_event_age_seconds,
  ]
}
