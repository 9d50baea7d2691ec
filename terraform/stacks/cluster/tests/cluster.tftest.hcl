# What must hold of the cluster whatever else is chosen. Plans only: no account, no credentials.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1c", "eu-central-1a", "eu-central-1b"] }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_iam_roles" {
    defaults = { arns = ["arn:aws:iam::123456789012:role/runbook-engine-runbook-action"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      arn                   = "arn:aws:eks:eu-central-1:123456789012:cluster/runbook-engine"
      endpoint              = "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
      certificate_authority = [{ data = "LS0tLQ==" }]
    }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/made" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:made" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

variables {
  region              = "eu-central-1"
  administrators      = ["arn:aws:iam::123456789012:role/platform"]
  public_access_cidrs = ["203.0.113.7/32"]
}

run "the_engine_gets_a_group_and_nothing_else" {
  command = apply

  assert {
    condition     = output.engine_access == { "arn:aws:iam::123456789012:role/runbook-engine-runbook-action" = toset(["runbook-engine"]) }
    error_message = "The engine's role must be mapped to the group runbook-engine, and to nothing else."
  }

  assert {
    condition     = output.cluster_name == "runbook-engine" && output.cluster_certificate_authority == "LS0tLQ=="
    error_message = "stacks/pipeline reads the cluster's name and authority."
  }

  assert {
    condition     = length(output.private_subnet_ids) == 2
    error_message = "Two zones are the default."
  }

  assert {
    condition     = output.runner_role_arn != null && !output.external_dns_enabled
    error_message = "The runner has a role; external-dns has none without zones."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.api_server.cidr_ipv4 == "10.42.0.0/16" && aws_vpc_security_group_ingress_rule.api_server.from_port == 443 && aws_vpc_security_group_ingress_rule.api_server.to_port == 443
    error_message = "The network reaches the API server's port only."
  }

  assert {
    condition     = yamldecode(output.engine_adapter)[0].eksCluster == "runbook-engine" && yamldecode(output.engine_adapter)[0].auth == "eks"
    error_message = "engine.yaml gets the cluster's name, address and authority."
  }

  assert {
    condition     = output.engine_network.egress_cidrs == ["0.0.0.0/0"] && length(output.engine_network.prefix_list_ids) == 2
    error_message = "With a NAT gateway the function reaches AWS through it."
  }
}

run "the_engine_has_no_entry_before_its_role_exists" {
  command = apply

  override_data {
    target = data.aws_iam_roles.runbook_action
    values = { arns = [] }
  }

  assert {
    condition     = length(output.engine_access) == 0
    error_message = "Without a role there is nobody to enter."
  }
}

run "a_role_name_is_found_as_a_whole_and_not_as_a_pattern" {
  command = plan

  variables {
    runbook_action_role_name = "engine.action+1"
  }

  assert {
    condition     = data.aws_iam_roles.runbook_action.name_regex == "^engine\\.action\\+1$"
    error_message = "A dot in a role's name must not match any letter: ${data.aws_iam_roles.runbook_action.name_regex}."
  }
}

run "external_dns_gets_a_role_with_zones" {
  command = apply

  variables {
    dns_zone_ids = ["Z0123456789ABCDEFGHIJ"]
  }

  assert {
    condition     = output.external_dns_enabled && length(module.external_dns) == 1
    error_message = "Zones give external-dns a role."
  }
}

run "without_a_way_out_the_function_reaches_the_network_only" {
  command = apply

  variables {
    nat = "none"
  }

  assert {
    condition     = output.engine_network.egress_cidrs == ["10.42.0.0/16"]
    error_message = "Without a NAT gateway nothing outside is promised."
  }
}

run "nobody_to_administer_is_refused" {
  command = plan

  variables {
    administrators = []
  }

  expect_failures = [var.administrators]
}

run "one_zone_is_refused" {
  command = plan

  variables {
    zone_count = 1
  }

  expect_failures = [var.zone_count]
}

run "a_wrong_region_is_refused" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}
