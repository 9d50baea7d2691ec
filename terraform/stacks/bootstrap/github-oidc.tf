# How workflows get into the account: a token of GitHub for a role, no key. Two roles for the sandbox alone:
# plan reads, from one branch; apply changes, from one environment, whose protection rules name who confirms.

locals {
  ci           = var.github_repository == "" ? 0 : 1
  oidc_host    = "token.actions.githubusercontent.com"
  provider_arn = var.github_oidc_provider_arn == null ? one(aws_iam_openid_connect_provider.github[*].arn) : var.github_oidc_provider_arn
  subjects = {
    plan  = "repo:${var.github_repository}:ref:refs/heads/${var.github_branch}"
    apply = "repo:${var.github_repository}:environment:${var.github_environment}"
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.ci == 1 && var.github_oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.oidc_host}"
  client_id_list = ["sts.amazonaws.com"] # no thumbprint: AWS checks GitHub's certificate against its own authorities

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.ci == 1 ? local.subjects : {}

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_host}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals" # never StringLike: a wildcard after the repository lets pull requests in
      variable = "${local.oidc_host}:sub"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "plan" {
  count = local.ci

  name                 = "${var.name}-ci-plan"
  description          = "Workflows of ${var.github_repository} on ${var.github_branch}: read the sandbox and its state"
  assume_role_policy   = data.aws_iam_policy_document.trust["plan"].json
  permissions_boundary = aws_iam_policy.ci_boundary[0].arn
  max_session_duration = 3600

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role" "apply" {
  count = local.ci

  name                 = "${var.name}-ci-apply"
  description          = "Workflows of ${var.github_repository} in the environment ${var.github_environment}: change the sandbox"
  assume_role_policy   = data.aws_iam_policy_document.trust["apply"].json
  permissions_boundary = aws_iam_policy.ci_boundary[0].arn
  max_session_duration = 3600

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role_policy" "plan_state" {
  count = local.ci

  name   = "state"
  role   = aws_iam_role.plan[0].id
  policy = data.aws_iam_policy_document.state["plan"].json
}

resource "aws_iam_role_policy" "plan_sandbox" {
  count = local.ci

  name   = "sandbox"
  role   = aws_iam_role.plan[0].id
  policy = data.aws_iam_policy_document.read_sandbox.json
}

resource "aws_iam_role_policy" "apply_state" {
  count = local.ci

  name   = "state"
  role   = aws_iam_role.apply[0].id
  policy = data.aws_iam_policy_document.state["apply"].json
}

resource "aws_iam_role_policy" "apply_sandbox_read" {
  count = local.ci

  name   = "sandbox-read"
  role   = aws_iam_role.apply[0].id
  policy = data.aws_iam_policy_document.read_sandbox.json
}

resource "aws_iam_role_policy" "apply_sandbox" {
  count = local.ci

  name   = "sandbox"
  role   = aws_iam_role.apply[0].id
  policy = data.aws_iam_policy_document.change_sandbox.json
}
