# People administer, engines get groups; nobody is both.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  cluster_name   = "lab"
  administrators = ["arn:aws:iam::123456789012:role/platform"]
  groups         = { "arn:aws:iam::123456789012:role/runbook-action" = ["runbook-engine"] }
}

run "an_engine_gets_groups_and_no_policy" {
  command = plan

  assert {
    condition     = [for entry in aws_eks_access_entry.group : entry.kubernetes_groups] == [toset(["runbook-engine"])]
    error_message = "The group is what was asked for."
  }

  assert {
    condition     = keys(aws_eks_access_policy_association.administrator) == ["arn:aws:iam::123456789012:role/platform"]
    error_message = "Only people get an access policy."
  }
}

run "an_engine_that_administers_is_refused" {
  command = plan

  variables {
    administrators = ["arn:aws:iam::123456789012:role/runbook-action"]
  }

  expect_failures = [var.groups]
}

run "a_group_of_kubernetes_itself_is_refused" {
  command = plan

  variables {
    groups = { "arn:aws:iam::123456789012:role/runbook-action" = ["system:masters"] }
  }

  expect_failures = [var.groups]
}

run "a_session_is_refused" {
  command = plan

  variables {
    administrators = ["arn:aws:sts::123456789012:assumed-role/platform/ana"]
  }

  expect_failures = [var.administrators]
}
