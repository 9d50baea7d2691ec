# The driver: Drive -> Route -> Sleep or Approval -> Drive, until the engine says done. It knows nothing of runbooks.

resource "aws_sfn_state_machine" "driver" {
  #checkov:skip=CKV_AWS_284:Traces cost more than the transitions; the journal tells what an execution did, step by step
  #checkov:skip=CKV_AWS_285:The check wants the execution data too; a task token is in it, and that is a credential
  name     = "${var.name}-driver"
  type     = "STANDARD" # waits and approvals last longer than an express execution
  role_arn = aws_iam_role.driver.arn
  definition = templatefile("${path.module}/driver.asl.json", {
    drive_function_arn = module.runbook_action.arn
  })

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false # a task token is in the data, and it is a credential
    log_destination        = "${aws_cloudwatch_log_group.driver.arn}:*"
  }

  depends_on = [aws_iam_role_policy.driver] # Step Functions tries the right to log when it makes the machine
}

resource "aws_cloudwatch_log_group" "driver" {
  #checkov:skip=CKV_AWS_338:Errors of the driver are for debugging; what was done is in the audit log, kept for a year
  name              = "/aws/vendedlogs/states/${var.name}-driver"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "driver_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:states:${local.place}:stateMachine:${var.name}-driver"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "driver" {
  statement {
    sid       = "Drive"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.runbook_action.arn]
  }

  statement {
    sid = "LogDelivery"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    # Wildcard: log deliveries are not resources, these actions take none.
    resources = ["*"]
  }
}

resource "aws_iam_role" "driver" {
  name               = "${var.name}-driver"
  description        = "Role of the driver of ${var.name}: calls one function"
  assume_role_policy = data.aws_iam_policy_document.driver_trust.json
}

resource "aws_iam_role_policy" "driver" {
  #checkov:skip=CKV_AWS_290:The actions of log delivery take no resource
  #checkov:skip=CKV_AWS_355:The actions of log delivery take no resource
  name   = "drive"
  role   = aws_iam_role.driver.id
  policy = data.aws_iam_policy_document.driver.json
}
