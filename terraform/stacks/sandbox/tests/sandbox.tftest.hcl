# The chain that a rollback depends on: published versions, an alias, an API that calls the alias, an alarm that sees it.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:runbook-sandbox", version = "7" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:runbook-sandbox:live/invocations" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/runbook-sandbox-function" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:made" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:made", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/made" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:abc123" }
  }
}

mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_base64sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
}

variables {
  region = "eu-central-1"
}

run "callers_use_the_alias_of_a_published_version" {
  command = apply

  assert {
    condition     = aws_lambda_function.sandbox.publish && aws_lambda_alias.live.function_version == "7"
    error_message = "Each deployment publishes a version, and the alias is moved to it."
  }

  assert {
    condition     = aws_apigatewayv2_integration.live.integration_uri == aws_lambda_alias.live.invoke_arn
    error_message = "An API that calls the bare function bypasses a rollback."
  }

  assert {
    condition     = aws_lambda_permission.api.qualifier == "live" && aws_lambda_permission.api.source_arn == "arn:aws:execute-api:eu-central-1:123456789012:abc123/*/*"
    error_message = "The API may call the alias only, and no other API."
  }
}

run "the_alarm_sees_what_callers_see" {
  command = apply

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors.dimensions == tomap({ FunctionName = "runbook-sandbox", Resource = "runbook-sandbox:live" })
    error_message = "Errors of the alias, not of every version."
  }

  assert {
    condition     = output.alarm_names == ["runbook-sandbox-errors", "orders-dlq-depth"]
    error_message = "Runbooks match these names."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.name == "orders-dlq" && jsondecode(aws_sqs_queue.work.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "orders gives up into orders-dlq."
  }
}

run "healthy_by_default" {
  command = plan

  assert {
    condition     = aws_lambda_function.sandbox.environment[0].variables == tomap({ FAIL_MODE = "false", REVISION = "unknown" })
    error_message = "A deployment leaves the function healthy."
  }
}

run "failing_when_asked" {
  command = plan

  variables {
    fail_mode = true
    revision  = "0123abc"
  }

  assert {
    condition     = aws_lambda_function.sandbox.environment[0].variables == tomap({ FAIL_MODE = "true", REVISION = "0123abc" })
    error_message = "inject-failure sets FAIL_MODE."
  }
}

run "the_boundary_is_worn" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/runbook-engine-workload-boundary"
  }

  assert {
    condition     = aws_iam_role.function.permissions_boundary == "arn:aws:iam::123456789012:policy/runbook-engine-workload-boundary"
    error_message = "Without it the workflows cannot make the role."
  }
}

run "a_revision_that_is_no_commit_is_refused" {
  command = plan

  variables {
    revision = "main; echo"
  }

  expect_failures = [var.revision]
}

run "an_old_runtime_is_refused" {
  command = plan

  variables {
    runtime = "python3.9"
  }

  expect_failures = [var.runtime]
}
