# Everything switched on: a private cluster, alerts from a topic and a queue, bundles in S3, a pager beside the e-mail.
#   terraform -chdir=terraform/stacks/pipeline plan -var-file=../../examples/complete.tfvars
region           = "eu-west-1"
name             = "runbook-engine"
environment_name = "production"
tags             = { team = "sre", cost-centre = "4711" }

token_parameters   = ["/runbook-engine/scopes/payments", "/runbook-engine/scopes/orders"]
secret_parameters  = ["/runbook-engine/receivers/slack"]
link_key_parameter = "/runbook-engine/link-key"
pause_parameter    = "/runbook-engine/pause"
action_policy_file = "../../../build/iam/actions.json"
environment        = { RUNBOOK_TOPIC_PAYMENTS = "arn:aws:sns:eu-west-1:123456789012:payments-oncall" }

oncall_severities = ["critical", "high", "unknown"]
oncall_subscriptions = {
  oncall = { protocol = "email", endpoint = "oncall@example.com" }
  pager = {
    protocol      = "https"
    endpoint      = "https://events.example.com/sns"
    filter_policy = "{\"severity\": [\"critical\"]}"
  }
}

sns_topics         = { ops = "arn:aws:sns:eu-west-1:123456789012:ops" }
sqs_queues         = { alerts = "arn:aws:sqs:eu-west-1:123456789012:alerts" }
deployment_sources = ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "runbook-engine.deploys"]

# Only runbook_action is in the VPC. It reaches the cluster and DynamoDB; for SSM, SNS, EventBridge, Step Functions and
# KMS the subnets need NAT or interface endpoints, whose addresses are within the network.
network = {
  vpc_id          = "vpc-0123456789abcdef0"
  subnet_ids      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  egress_cidrs    = ["10.42.0.0/16"]
  prefix_list_ids = ["pl-0123456789abcdef0"]
}

create_bundle_bucket = true
bundle = {
  key    = "bundles/9f86d081884c7d65.msgpack"
  digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}

concurrency          = { ingest = 50, drive = 20 }
log_retention_days   = 30
audit_retention_days = 365
archive_days         = 90
