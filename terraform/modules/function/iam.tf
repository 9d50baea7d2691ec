data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    # The account and not the function: Lambda tries the role when it makes the function, before that exists.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "Execution role of the function ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "own" {
  statement {
    sid       = "OwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"] # the streams of this one group
  }

  statement {
    sid       = "KeyThroughServices"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in local.services : "${service}.${data.aws_region.current.region}.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = length(var.secret_parameters) > 0 ? [var.secret_parameters] : []

    content {
      sid     = "Parameters"
      actions = ["ssm:GetParameter"]
      resources = [
        for path in statement.value :
        "arn:${data.aws_partition.current.partition}:ssm:${local.place}:parameter${path}"
      ]
    }
  }

  dynamic "statement" {
    for_each = var.failure_queue_used ? [var.failure_queue_arn] : []

    content {
      sid       = "Failures"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.in_vpc ? ["network"] : []

    content {
      sid = "NetworkInterfaces"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      # Wildcard: Lambda names no interface before it has made it, and Describe takes no resource.
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.in_vpc ? ["network"] : []

    content {
      sid    = "NotFromCode"
      effect = "Deny"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      # Wildcard: a denial, for calls that the code itself makes; the service's own calls do not carry the condition.
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = [local.arn]
      }
    }
  }
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.own.json
}

resource "aws_iam_role_policy" "given" {
  name   = "given"
  role   = aws_iam_role.this.id
  policy = var.policy_json
}
