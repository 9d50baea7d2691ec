# The function, a published version of each deployment, and the alias `live` that callers use. Publishing is what makes
# a rollback cheap: the versions before are still there, and the alias is moved back to one of them.

data "archive_file" "function" {
  type             = "zip"
  source_file      = "${path.module}/../../../apps/sandbox/lambda_handler.py"
  output_path      = "${path.root}/.build/sandbox.zip"
  output_file_mode = "0644" # one content, one zip, whoever builds it
}

# It holds no secret, so the key of CloudWatch Logs is enough.
#trivy:ignore:AVD-AWS-0017
resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_158:it holds no secret; encrypted with the key of CloudWatch Logs
  # checkov:skip=CKV_AWS_338:a sandbox's logs are of interest for days
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

# Traces are not part of the sandbox: logs and metrics are its signals.
#trivy:ignore:AVD-AWS-0066
resource "aws_lambda_function" "sandbox" {
  # checkov:skip=CKV_AWS_50:traces are not part of the sandbox; logs and metrics are its signals
  # checkov:skip=CKV_AWS_115:the brake on concurrency is what a runbook may pull; the API throttles beforehand
  # checkov:skip=CKV_AWS_116:called synchronously by the API alone: nothing waits that could be lost
  # checkov:skip=CKV_AWS_117:it calls nothing, so it needs no network
  # checkov:skip=CKV_AWS_173:FAIL_MODE and a commit are no secrets
  # checkov:skip=CKV_AWS_272:the zip is made from this repository by this apply; signing would need a profile of its own
  function_name    = var.name
  description      = "Sandbox of runbook-engine at ${var.revision}"
  role             = aws_iam_role.function.arn
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  handler          = "lambda_handler.lambda_handler"
  runtime          = var.runtime
  architectures    = [var.architecture]
  memory_size      = 128
  timeout          = 5
  publish          = true

  environment {
    variables = {
      FAIL_MODE = tostring(var.fail_mode)
      REVISION  = var.revision
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  depends_on = [aws_iam_role_policy.function]
}

# A runbook may have moved the alias back. The next deployment moves it to its own version: Terraform owns it, and a
# rollback by a runbook lasts until a person or a pipeline has decided.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What callers get"
  function_name    = aws_lambda_function.sandbox.function_name
  function_version = aws_lambda_function.sandbox.version
}
