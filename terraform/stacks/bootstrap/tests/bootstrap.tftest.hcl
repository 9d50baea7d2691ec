# The bucket is closed, and the roles trust exactly one branch and one environment of one repository.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_s3_bucket" {
    override_during = plan
    defaults        = { arn = "arn:aws:s3:::state" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  region            = "eu-central-1"
  github_repository = "acme/runbooks"
}

run "the_bucket_is_closed" {
  command = plan

  assert {
    condition     = aws_s3_bucket.state.bucket == "runbook-engine-tfstate-123456789012-eu-central-1" && !aws_s3_bucket.state.force_destroy
    error_message = "The name follows from the account, and nothing empties the bucket."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "Nothing about the bucket is public."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A state can be brought back."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.bucket.statement : statement.sid if statement.effect == "Deny"] == ["OnlyTls", "OnlyNewTls", "OnlyOwnKey", "OnlyOwnAccount"]
    error_message = "Plain text, old TLS, another key and strangers are denied."
  }
}

run "roles_trust_one_branch_and_one_environment" {
  command = plan

  assert {
    condition = jsonencode({
      for condition in data.aws_iam_policy_document.trust["plan"].statement[0].condition :
      "${condition.test} ${condition.variable}" => condition.values
      }) == jsonencode({
      "StringEquals token.actions.githubusercontent.com:aud" = ["sts.amazonaws.com"]
      "StringEquals token.actions.githubusercontent.com:sub" = ["repo:acme/runbooks:ref:refs/heads/main"]
    })
    error_message = "plan: exactly the branch."
  }

  assert {
    condition = jsonencode({
      for condition in data.aws_iam_policy_document.trust["apply"].statement[0].condition :
      "${condition.test} ${condition.variable}" => condition.values
      }) == jsonencode({
      "StringEquals token.actions.githubusercontent.com:aud" = ["sts.amazonaws.com"]
      "StringEquals token.actions.githubusercontent.com:sub" = ["repo:acme/runbooks:environment:sandbox"]
    })
    error_message = "apply: exactly the environment."
  }
}

run "plan_cannot_write_the_state" {
  command = plan

  assert {
    condition     = toset(flatten([for statement in data.aws_iam_policy_document.state["plan"].statement : tolist(statement.actions)])) == toset(["kms:Decrypt", "s3:GetObject", "s3:ListBucket"])
    error_message = "plan reads the state and no more."
  }

  assert {
    condition     = jsonencode([for statement in data.aws_iam_policy_document.state["apply"].statement : statement.resources if contains(statement.actions, "s3:DeleteObject")]) == jsonencode([["arn:aws:s3:::state/sandbox/terraform.tfstate.tflock"]])
    error_message = "apply deletes the lock and never a state."
  }
}

run "no_action_of_the_roles_is_a_wildcard" {
  command = plan

  assert {
    condition = length([
      for action in flatten([for statement in concat(data.aws_iam_policy_document.read_sandbox.statement, data.aws_iam_policy_document.change_sandbox.statement) : tolist(statement.actions)]) :
      action if strcontains(action, "*")
    ]) == 0
    error_message = "Rights are named one by one."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.change_sandbox.statement : [for condition in statement.condition : condition.variable]
      if contains(statement.actions, "iam:CreateRole")
    ] == [["iam:PermissionsBoundary"]]
    error_message = "A role is made within its boundary or not at all."
  }
}

run "without_a_repository_there_is_no_role" {
  command = plan

  variables {
    github_repository = ""
  }

  assert {
    condition     = length(aws_iam_role.plan) + length(aws_iam_role.apply) + length(aws_iam_openid_connect_provider.github) == 0 && length(output.github_variables) == 0
    error_message = "No repository, no way in."
  }
}

run "an_existing_provider_is_used" {
  command = plan

  variables {
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && one(one(data.aws_iam_policy_document.trust["apply"].statement[0].principals).identifiers) == var.github_oidc_provider_arn
    error_message = "An account has one provider for GitHub."
  }
}

run "a_wildcard_repository_is_refused" {
  command = plan

  variables {
    github_repository = "acme/*"
  }

  expect_failures = [var.github_repository]
}

run "a_wildcard_branch_is_refused" {
  command = plan

  variables {
    github_branch = "*"
  }

  expect_failures = [var.github_branch]
}
