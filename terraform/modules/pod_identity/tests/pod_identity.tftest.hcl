# Without a policy the role may do nothing.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  cluster_name    = "lab"
  cluster_arn     = "arn:aws:eks:eu-central-1:123456789012:cluster/lab"
  namespace       = "runbooks"
  service_account = "runner-runbook-engine"
  role_name       = "lab-runner"
}

run "nothing_is_allowed_by_default" {
  command = plan

  assert {
    condition     = length(aws_iam_role_policy.this) == 0 && length(aws_iam_role_policy_attachment.this) == 0
    error_message = "No policy means no right."
  }

  assert {
    condition     = aws_eks_pod_identity_association.this[0].service_account == "runner-runbook-engine"
    error_message = "The association is made."
  }
}

run "a_policy_is_attached" {
  command = plan

  variables {
    policies = { flags = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ssm:GetParameter\",\"Resource\":\"*\"}]}" }
  }

  assert {
    condition     = aws_iam_role_policy.this["flags"].policy == var.policies["flags"]
    error_message = "The policy is the one given."
  }
}

run "what_is_no_policy_is_refused" {
  command = plan

  variables {
    policies = { all = "allow everything" }
  }

  expect_failures = [var.policies]
}
