# What the workflows' roles may do, and the two boundaries that neither they nor what they make can cross.

locals {
  state_keys = ["${aws_s3_bucket.state.arn}/sandbox/terraform.tfstate", "${aws_s3_bucket.state.arn}/sandbox/terraform.tfstate.tflock"]

  in_region = "${var.region}:${local.account_id}"
  functions = [
    "arn:${local.partition}:lambda:${local.in_region}:function:${var.sandbox_name}",
    "arn:${local.partition}:lambda:${local.in_region}:function:${var.sandbox_name}:*",
  ]
  alarms = [
    "arn:${local.partition}:cloudwatch:${local.in_region}:alarm:${var.sandbox_name}-*",
    "arn:${local.partition}:cloudwatch:${local.in_region}:alarm:${var.sandbox_queue}-*",
  ]
  queues = [
    "arn:${local.partition}:sqs:${local.in_region}:${var.sandbox_queue}",
    "arn:${local.partition}:sqs:${local.in_region}:${var.sandbox_queue}-dlq",
  ]
  log_groups = flatten([for group in ["/aws/lambda/${var.sandbox_name}", "/aws/apigateway/${var.sandbox_name}"] : [
    "arn:${local.partition}:logs:${local.in_region}:log-group:${group}",
    "arn:${local.partition}:logs:${local.in_region}:log-group:${group}:*",
  ]])
  sandbox_roles = ["arn:${local.partition}:iam::${local.account_id}:role/${var.sandbox_name}-*"]
  # The id of an API is not known beforehand, so these are all HTTP APIs of the region: give the sandbox an account of
  # its own where that is too much.
  apis = ["arn:${local.partition}:apigateway:${var.region}::/apis", "arn:${local.partition}:apigateway:${var.region}::/apis/*"]
  bus  = "arn:${local.partition}:events:${local.in_region}:event-bus/${var.event_bus_name}"
}

data "aws_iam_policy_document" "state" {
  for_each = {
    plan  = ["s3:GetObject"]
    apply = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["sandbox/*"]
    }
  }

  statement {
    sid       = "State"
    actions   = setsubtract(each.value, ["s3:DeleteObject"])
    resources = local.state_keys
  }

  dynamic "statement" {
    for_each = contains(each.value, "s3:DeleteObject") ? [1] : []

    content {
      sid       = "Unlock" # the lock alone: a state is emptied by destroy, never deleted
      actions   = ["s3:DeleteObject"]
      resources = [local.state_keys[1]]
    }
  }

  statement {
    sid       = "Key"
    actions   = each.key == "plan" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.state.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "read_sandbox" {
  # checkov:skip=CKV_AWS_356:describing alarms and log groups has no resource in IAM
  statement {
    sid       = "Describe"
    actions   = ["cloudwatch:DescribeAlarms", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:ListLogDeliveries"]
    resources = ["*"]
  }

  statement {
    sid = "Function"
    actions = [
      "lambda:GetAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConcurrency",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionRecursionConfig",
      "lambda:GetPolicy",
      "lambda:GetRuntimeManagementConfig",
      "lambda:ListAliases",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]
    resources = local.functions
  }

  statement {
    sid       = "Api"
    actions   = ["apigateway:GET"]
    resources = concat(local.apis, ["arn:${local.partition}:apigateway:${var.region}::/tags/*"])
  }

  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:ListTagsForResource"]
    resources = local.alarms
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:ListTagsForResource"]
    resources = local.log_groups
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = local.queues
  }

  statement {
    sid       = "Role"
    actions   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRoleTags"]
    resources = local.sandbox_roles
  }
}

data "aws_iam_policy_document" "change_sandbox" {
  # checkov:skip=CKV_AWS_111:log deliveries have no resource in IAM
  # checkov:skip=CKV_AWS_356:the same
  statement {
    sid = "Function"
    actions = [
      "lambda:AddPermission",
      "lambda:CreateAlias",
      "lambda:CreateFunction",
      "lambda:DeleteAlias",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:PublishVersion",
      "lambda:PutFunctionConcurrency",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
    ]
    resources = local.functions
  }

  statement {
    sid       = "Api"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource", "apigateway:UntagResource"]
    resources = concat(local.apis, ["arn:${local.partition}:apigateway:${var.region}::/tags/*"])
  }

  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"]
    resources = local.alarms
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"]
    resources = local.log_groups
  }

  statement {
    sid       = "AccessLogsOfTheApi"
    actions   = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"]
    resources = ["*"]
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]
    resources = local.queues
  }

  # A role is made within its boundary or not at all.
  statement {
    sid       = "MakeRole"
    actions   = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = local.sandbox_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.workload_boundary.arn]
    }
  }

  statement {
    sid       = "KeepRole"
    actions   = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
    resources = local.sandbox_roles
  }

  statement {
    sid       = "PassRole"
    actions   = ["iam:PassRole"]
    resources = local.sandbox_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }

  statement {
    sid       = "TellDeployment"
    actions   = ["events:PutEvents"]
    resources = [local.bus]

    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = ["runbook-engine.deploys"]
    }

    condition {
      test     = "StringEquals"
      variable = "events:detail-type"
      values   = ["Deployment"]
    }
  }
}

# The most that a role made by a workflow can ever do, whatever policy it is given.
data "aws_iam_policy_document" "workload_boundary" {
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = local.log_groups
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
    resources = local.queues
  }
}

resource "aws_iam_policy" "workload_boundary" {
  name        = "${var.name}-workload-boundary"
  description = "The most that roles made by workflows can do"
  policy      = data.aws_iam_policy_document.workload_boundary.json

  lifecycle {
    prevent_destroy = true
  }
}

# The most that the workflows' own roles can ever do: no users, no keys, no roles but the sandbox's, no boundary.
data "aws_iam_policy_document" "ci_boundary" {
  # checkov:skip=CKV_AWS_107:a boundary grants nothing, it caps; the roles' own policies name actions and resources
  # checkov:skip=CKV_AWS_108:the same
  # checkov:skip=CKV_AWS_109:the same
  # checkov:skip=CKV_AWS_110:the same
  # checkov:skip=CKV_AWS_111:the same
  # checkov:skip=CKV_AWS_356:the same
  statement {
    sid = "Services"
    actions = [
      "apigateway:*",
      "cloudwatch:*",
      "events:PutEvents",
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "lambda:*",
      "logs:*",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
      "sqs:*",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "SandboxRoles"
    actions   = ["iam:*Role", "iam:*RolePolicies", "iam:*RolePolicy", "iam:*RoleTags", "iam:ListInstanceProfilesForRole", "iam:PutRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription"]
    resources = local.sandbox_roles
  }
}

resource "aws_iam_policy" "ci_boundary" {
  count = local.ci

  name        = "${var.name}-ci-boundary"
  description = "The most that workflows can do"
  policy      = data.aws_iam_policy_document.ci_boundary.json

  lifecycle {
    prevent_destroy = true
  }
}
