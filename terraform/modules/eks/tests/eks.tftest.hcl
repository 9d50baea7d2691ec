# The cluster's settings that a review must not have to look for.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name                = "lab"
  kubernetes_version  = "1.36"
  private_subnet_ids  = ["subnet-a", "subnet-b"]
  public_access_cidrs = ["203.0.113.7/32"]
  kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "secure_by_default" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Only access entries give access."
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == tolist(["secrets"]) || aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "Secrets are encrypted."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "All logs of the control plane are on."
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The private endpoint is on, the public one for the named address."
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support costs six times as much and is never entered."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "IMDSv2, and no pod reaches it."
  }

  assert {
    condition     = aws_eks_node_group.this.ami_type == "AL2023_ARM_64_STANDARD" && tolist(aws_eks_node_group.this.instance_types) == tolist(["t4g.medium"])
    error_message = "Graviton is the default."
  }

  assert {
    condition     = toset(keys(aws_eks_addon.before_nodes)) == toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])
    error_message = "The Pod Identity agent is an add-on."
  }
}

run "no_address_means_no_public_endpoint" {
  command = plan

  variables {
    public_access_cidrs = []
  }

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "Without an address there is no public endpoint."
  }
}

run "everybody_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "an_old_version_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.28"
  }

  expect_failures = [var.kubernetes_version]
}

run "a_type_of_the_other_architecture_is_refused" {
  command = plan

  variables {
    instance_types = ["t3.medium"]
  }

  expect_failures = [var.instance_types]
}

run "x86_is_possible" {
  command = plan

  variables {
    architecture   = "x86_64"
    instance_types = ["m7i.large", "m7a.large"]
  }

  assert {
    condition     = aws_eks_node_group.this.ami_type == "AL2023_x86_64_STANDARD"
    error_message = "The image follows the architecture."
  }
}

run "fewer_nodes_than_the_least_are_refused" {
  command = plan

  variables {
    nodes = { min = 3, desired = 2, max = 4 }
  }

  expect_failures = [var.nodes]
}
