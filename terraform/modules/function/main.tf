# One Lambda function with its own role, its own log group, and a queue for the asynchronous calls that failed.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  place    = "${data.aws_region.current.region}:${local.account}"
  arn      = "arn:${data.aws_partition.current.partition}:lambda:${local.place}:function:${var.name}"
  in_vpc   = var.network != null
  services = ["dynamodb", "lambda", "s3", "sns", "sqs", "ssm"]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:The audit trail is kept elsewhere (the table, the audit log); a function's own log is for debugging
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# Traces cost more than the function, and the journal tells what an execution did, step by step.
#trivy:ignore:AWS-0066
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Traces cost more than the function; the journal tells what an execution did, step by step
  #checkov:skip=CKV_AWS_115:Reserved by the callers of this module where the account can afford it
  #checkov:skip=CKV_AWS_116:Asynchronous failures go to the on-failure destination below, which tells more than a dead-letter queue
  #checkov:skip=CKV_AWS_117:Only the function that talks to a private cluster needs a VPC; there it is set
  #checkov:skip=CKV_AWS_272:The package is built and digested by the same pipeline that deploys it; a signing profile can be added
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  handler                        = var.handler
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  kms_key_arn                    = var.kms_key_arn
  reserved_concurrent_executions = var.reserved_concurrency

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "PassThrough" # a caller's decision to trace is kept, we start none
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [var.network] : []

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = [vpc_config.value.security_group_id]
    }
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.package)
      error_message = "There is no ${var.package}: build it with `make lambda`, or set the path of the zip."
    }
  }

  depends_on = [aws_iam_role_policy.own] # Lambda tries the rights to the network and to the queue when it makes these
}

resource "aws_lambda_function_event_invoke_config" "this" {
  count = var.failure_queue_used ? 1 : 0

  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = var.maximum_event_age_seconds
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = var.failure_queue_arn
    }
  }

  lifecycle {
    precondition {
      condition     = var.failure_queue_arn != null
      error_message = "failure_queue_used is set, so failure_queue_arn must name the queue."
    }
  }
}
